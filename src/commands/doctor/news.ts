import type { Report, ReportedFinding } from '../../doctor/report/report.ts'
import { type Paint, plain } from '../../lab/lines.ts'
import { ownerText } from '../../page/model/doctor.ts'
import { clock } from '../../page/model/text.ts'
import { findingsLines, reportLines } from './report-text.ts'

export interface NewsOptions {
  readonly columns?: number | undefined
  readonly colours?: Paint | undefined
}

/** The report with the findings that an incomplete reading no longer shows: they may still be there. */
export function shownAfter(last: Report | undefined, report: Report, isComplete: boolean): Report {
  if (last === undefined || isComplete) return report
  const lost = last.findings.filter((finding) => !has(report, finding))
  const isIll = lost.some(({ certainty }) => certainty !== 'insufficient')
  return { ...report, findings: [...report.findings, ...lost], verdict: isIll ? 'ill' : report.verdict }
}

/** What has changed since the last report, for people: the whole report at first, and nothing if nothing has. */
export function newsLines(last: Report | undefined, report: Report, nowMs: number, options: NewsOptions): string[] {
  if (last === undefined) return reportLines(report, options)
  const { colours = plain } = options
  const added = report.findings.filter((finding) => !has(last, finding))
  const surer = report.findings.filter((finding) => has(last, finding, (one) => one.certainty !== finding.certainty))
  const gone = last.findings.filter((finding) => !has(report, finding))
  const at = clock(nowMs)
  return [
    ...(last.verdict === report.verdict ? [] : [`${at} ${report.verdict}, before: ${last.verdict}`]),
    ...(added.length === 0 ? [] : [`${at} new:`, ...findingsLines(added, options)]),
    ...surer.map((finding) => `${at} now ${wordOf(finding)}: ${nameOf(finding)}`),
    ...gone.map((finding) => `${at} ${colours('green', 'gone')}: ${nameOf(finding)}`),
  ]
}

function has({ findings }: Report, finding: ReportedFinding, isMatch: (one: ReportedFinding) => boolean = () => true) {
  return findings.some((one) => keyOf(one) === keyOf(finding) && isMatch(one))
}

/** One disease of one owner is one finding, whatever process of the node has it. */
export function keyOf({ disease, owner }: Pick<ReportedFinding, 'disease' | 'owner'>): string {
  return `${disease} ${owner.mesh} ${owner.node} ${owner.part}`
}

function nameOf({ title, owner }: ReportedFinding): string {
  return `${title}: ${ownerText(owner)}`
}

function wordOf({ certainty }: ReportedFinding): string {
  return certainty === 'insufficient' ? 'without enough evidence' : certainty
}
