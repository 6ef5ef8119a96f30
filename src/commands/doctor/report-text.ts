import { type DiseaseName, diseaseOf } from '../../doctor/diseases.ts'
import type { FindingOwner, Growth } from '../../doctor/finding.ts'
import type { Resolutions } from '../../doctor/judgement/resolution.ts'
import type { Report, ReportedFinding } from '../../doctor/report/report.ts'
import { type Paint, plain } from '../../lab/lines.ts'
import type { Colour } from '../../lab/node-log.ts'
import { clock, duration, plural, zoneName } from '../../page/model/text.ts'
import { hang } from '../text-list.ts'

interface TextOptions {
  readonly columns?: number | undefined
  readonly colours?: Paint | undefined
}

const indent = '   '
/** Symptoms, nodes and problems of a list that are named; further ones are counted. */
const maxNamed = 6
/** Links of one finding. */
const maxLinks = 3

/** A report for people, without a line end. */
export function reportLines(report: Report, { columns, colours = plain }: TextOptions = {}): string[] {
  const { findings, verdict } = report
  const body = findingsLines(findings, { columns, colours })
  const wrap = (head: string, text: string) => hang(head, text, columns)
  return [
    colours(colourOf(verdict), headline(report)),
    ...body,
    ...(body.length > 0 ? [''] : []),
    ...basisLines(report).flatMap(([head, text]) => wrap(head.padEnd(11), text)),
  ]
}

/** One fault may be of every node: it is described once. */
export function findingsLines(
  findings: readonly ReportedFinding[],
  { columns, colours = plain }: TextOptions = {},
): string[] {
  const groups = [...Map.groupBy(findings, ({ disease, certainty, owner }) => `${disease} ${certainty} ${owner.mesh}`)]
  return groups.flatMap(([, [first, ...others]], index) =>
    first === undefined ? [] : ['', ...findingLines(first, others, index + 1, { columns, colours })],
  )
}

function headline({ verdict, findings }: Report): string {
  const sure = findings.filter(({ certainty }) => certainty !== 'insufficient').length
  if (verdict === 'ill') return `ill: ${plural(sure, 'finding')}`
  return verdict === 'healthy' ? 'healthy: nothing found' : 'unclear: not enough evidence for a verdict'
}

function colourOf(verdict: Report['verdict']): Colour {
  return verdict === 'ill' ? 'red' : verdict === 'healthy' ? 'green' : 'yellow'
}

function findingLines(
  finding: ReportedFinding,
  others: readonly ReportedFinding[],
  number: number,
  { columns, colours }: { readonly columns: number | undefined; readonly colours: Paint },
): string[] {
  const { title, certainty, owner, sinceMs, growth, summary, missing, remedy, next, alsoAt = [] } = finding
  const also = alsoAt.length === 0 ? '' : `; also at ${named(alsoAt)}`
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['what    ', summary],
    ['owner   ', `${ownerText(owner)}${also}`],
    [
      'same    ',
      others.length === 0 ? undefined : named(others.map((one) => `${one.owner.part} at ${one.owner.node}`)),
    ],
    ['since   ', sinceMs === undefined ? 'before the first span' : `${clock(sinceMs)} ${zoneName(sinceMs)}`],
    ['growth  ', growth && growthText(growth)],
    ['missing ', missing],
    ['explains', symptomsText(finding)],
    ['do      ', remedy],
    ['measure ', next === '' ? undefined : next],
  ]
  const certain = certainty === 'insufficient' ? 'not enough evidence' : certainty
  const head = `${number}. ${title} (${certain})`
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

export function ownerText({ mesh, node, part }: FindingOwner): string {
  return node === '' ? `${part}, of ${mesh}` : `${part} at ${node} of ${mesh}`
}

function growthText({ from, to, unit, perHour, perEvent }: Growth): string {
  const amount = (value: number) => (unit === 'By' ? bytesText(value) : `${rounded(value)} ${unit}`)
  const each = perEvent === undefined ? '' : `, ${amount(perEvent)} per connection`
  return `from ${amount(from)} to ${amount(to)}: ${amount(perHour)} per hour${each}`
}

function symptomsText({ symptoms }: ReportedFinding): string | undefined {
  if (symptoms.length === 0) return undefined
  const titles = Map.groupBy(symptoms, ({ disease }) => disease)
  const parts = [...titles].map(([disease, all]) => {
    const nodes = [...new Set(all.map(({ owner }) => owner.node))].filter((node) => node !== '')
    return `${titleOf(disease)}${nodes.length === 0 ? '' : ` (${named(nodes)})`}`
  })
  return parts.join('; ')
}

function titleOf(disease: DiseaseName): string {
  return diseaseOf(disease).title
}

/** What the verdict rests on. */
function basisLines({ evidence, resolution, verdict }: Report): (readonly [string, string])[] {
  const { fromMs, toMs, nodes, processes, meshes, spans, churnEvents, partial, read, bytes, requests } = evidence
  if (fromMs === null || toMs === null)
    return [['looked at', `${spans} spans, none of a mesh`], ...problemLines(partial)]
  const period = `${clock(fromMs)} to ${clock(toMs)} ${zoneName(toMs)}, ${duration(toMs - fromMs)}`
  const what = `${plural(nodes, 'node')} (${plural(processes, 'process', 'processes')}) of ${named(meshes)}, ${spans} spans, ${plural(churnEvents, 'connection')} opened, ${period}`
  const asked = requests === 0 ? '' : ` in ${plural(requests, 'request')}`
  return [
    ['looked at', what],
    ['read', `${read.join('; ')}: ${bytesText(bytes)}${asked}`],
    ...(verdict === 'ill' ? [] : resolutionLines(resolution)),
    ...censusLine(evidence),
    ...problemLines(partial),
  ]
}

function resolutionLines({ heap, external, judged, unjudged }: Report['resolution']): (readonly [string, string])[] {
  if (judged === 0)
    return [
      ['resolution', 'no process has four floors after major collections: a leak that nothing counts would not show'],
    ]
  const limits = [heap && `${smallestText(heap)} of heap`, external && `${smallestText(external)} of buffers`]
  const rest = unjudged === 0 ? '' : `; ${unjudged} of ${judged + unjudged} processes have too few floors`
  return [
    ['resolution', `a leak that nothing counts would show from ${limits.filter(Boolean).join(', and ')} on${rest}`],
  ]
}

function smallestText({ bytes, perHour = 0, perEvent, node }: NonNullable<Resolutions['heap']>): string {
  const each = perEvent === undefined ? '' : `, ${bytesText(perEvent)} per connection`
  return `${bytesText(bytes)} (${bytesText(perHour)} per hour${each}, at ${node})`
}

function censusLine({ processes, censuses, dropped, omitted, duplicates }: Report['evidence']): [string, string][] {
  const parts = [
    censuses < processes ? `${processes - censuses} processes have no census` : '',
    dropped > 0 ? `${dropped} processes found no room` : '',
    omitted > 0 ? `${omitted} series found no room` : '',
    duplicates > 0 ? `${duplicates} spans came twice` : '',
  ].filter((part) => part !== '')
  return parts.length === 0 ? [] : [['missing', parts.join('; ')]]
}

function problemLines(partial: readonly string[]): (readonly [string, string])[] {
  const more = partial.length > maxNamed ? [`${partial.length - maxNamed} more`] : []
  return [...partial.slice(0, maxNamed), ...more].map((problem) => ['partial', problem] as const)
}

function named(names: readonly string[]): string {
  const rest = names.length - maxNamed
  return `${names.slice(0, maxNamed).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

const units = [
  { bytes: 1e9, name: 'GB' },
  { bytes: 1e6, name: 'MB' },
  { bytes: 1e3, name: 'kB' },
] as const

export function bytesText(bytes: number): string {
  const unit = units.find((one) => Math.abs(bytes) >= one.bytes)
  return unit === undefined ? `${Math.round(bytes)} B` : `${rounded(bytes / unit.bytes)} ${unit.name}`
}

function rounded(value: number): string {
  return String(Math.abs(value) >= 10 ? Math.round(value) : Math.round(value * 100) / 100)
}
