import type { Report, ReportedFinding } from '../../doctor/report/report.ts'
import { type Paint, plain } from '../../lab/lines.ts'
import type { Colour } from '../../lab/node-log.ts'
import {
  certaintyText,
  type FindingGroup,
  gapTexts,
  groupsOf,
  growthText,
  headline,
  listText,
  mixtureTexts,
  othersText,
  ownerText,
  processText,
  readingText,
  resolutionText,
  scopeText,
  sinceText,
  symptomsText,
} from '../../page/model/doctor.ts'
import { clock } from '../../page/model/text.ts'
import { hang } from '../text-list.ts'

interface TextOptions {
  readonly columns?: number | undefined
  readonly colours?: Paint | undefined
}

const indent = '   '
/** Links of one finding. */
const maxLinks = 3

/** A report for people, without a line end. */
export function reportLines(report: Report, { columns, colours = plain }: TextOptions = {}): string[] {
  const body = findingsLines(report.findings, { columns, colours })
  return [
    colours(colourOf(report.verdict), headline(report)),
    ...body,
    ...(body.length > 0 ? [''] : []),
    ...basisRows(report).flatMap(([head, text]) => hang(head.padEnd(11), text, columns)),
  ]
}

/** One fault may be of every node: it is described once. */
export function findingsLines(
  findings: readonly ReportedFinding[],
  { columns, colours = plain }: TextOptions = {},
): string[] {
  return groupsOf(findings).flatMap((group, index) => ['', ...findingLines(group, index + 1, { columns, colours })])
}

function colourOf(verdict: Report['verdict']): Colour {
  return verdict === 'ill' ? 'red' : verdict === 'healthy' ? 'green' : 'yellow'
}

function findingLines(
  { first: finding, others }: FindingGroup,
  number: number,
  { columns, colours }: { readonly columns: number | undefined; readonly colours: Paint },
): string[] {
  const { title, certainty, owner, process, growth, summary, symptoms, missing, remedy, next, alsoAt = [] } = finding
  const also = alsoAt.length === 0 ? '' : `; also at ${listText(alsoAt)}`
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['what    ', summary],
    ['owner   ', `${ownerText(owner)}${also}`],
    ['process ', process && processText(process)],
    ['same    ', others.length === 0 ? undefined : othersText(others)],
    ['since   ', sinceText(finding)],
    ['growth  ', growth && growthText(growth)],
    ['missing ', missing],
    ['explains', symptoms.length === 0 ? undefined : symptomsText(finding)],
    ['do      ', remedy],
    ['measure ', next === '' ? undefined : next],
  ]
  const head = `${number}. ${title} (${certaintyText[certainty]})`
  return [
    colours(certainty === 'certain' ? 'red' : 'yellow', head),
    ...rows.flatMap(([name, text]) => (text === undefined ? [] : hang(`${indent}${name} `, text, columns))),
    ...proofLines(finding),
    ...(finding.search === undefined ? [] : [`${indent}search   ${finding.search}`]),
  ]
}

/** Not broken into lines: a terminal opens a link that is whole. */
function proofLines({ links, proof }: ReportedFinding): string[] {
  const shown = links.length > 0 ? links : proof.map(({ traceId, spanId }) => `trace ${traceId} span ${spanId}`)
  return shown.slice(0, maxLinks).map((link, index) => {
    const { span = '', atMs = 0 } = proof[index] ?? {}
    return `${indent}${index === 0 ? 'proof   ' : '        '} ${span} ${clock(atMs)} ${link}`
  })
}

/** What the verdict rests on. */
function basisRows(report: Report): readonly (readonly [string, string])[] {
  const { evidence, verdict } = report
  const row = (head: string) => (text: string) => [head, text] as const
  const gaps = gapTexts(report).map(row('missing'))
  if (evidence.fromMs === null) return [['looked at', scopeText(report)], ...gaps]
  return [
    ['looked at', scopeText(report)],
    ...mixtureTexts(report).map(row('mixed')),
    ['read', readingText(report)],
    ...(verdict === 'ill' ? [] : [['resolution', resolutionText(report)] as const]),
    ...gaps,
  ]
}
