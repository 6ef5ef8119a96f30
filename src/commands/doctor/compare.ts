import type { Evidence } from '../../doctor/evidence/evidence.ts'
import type { Instance, Witness } from '../../doctor/evidence/instance.ts'
import { printable } from '../../doctor/report/printable.ts'
import type { Report, ReportedFinding } from '../../doctor/report/report.ts'
import { amountText, ownerText } from '../../page/model/doctor.ts'
import { keyOf } from './news.ts'

/** A period with what the doctor says of it. */
export interface DiagnosedPeriod {
  readonly report: Report
  readonly evidence: Evidence
}

/** What differs between two periods; with `--json` part of the report of the later one. */
export interface Comparison {
  readonly verdicts: readonly [before: Report['verdict'], after: Report['verdict']]
  /** Builds of the nodes. */
  readonly versions: readonly [before: readonly string[], after: readonly string[]]
  readonly findings: readonly FindingChange[]
  /** A trace of each period of a node, to compare in Jaeger: of the first finding, or of any node. */
  readonly traces?: { readonly mesh: string; readonly node: string; readonly before: Witness; readonly after: Witness }
}

/**
 * `unseen`: it is not in the later period, and neither is its node, or spans are missing there. `faster` and `slower`: it
 * grows at another rate than before. A finding without enough evidence is neither new nor gone for sure.
 */
export interface FindingChange extends Pick<ReportedFinding, 'disease' | 'title' | 'owner' | 'certainty'> {
  readonly change: 'new' | 'gone' | 'unseen' | 'faster' | 'slower' | 'unchanged'
  /** Per hour, of a finding that grows in both periods. */
  readonly rates?: { readonly unit: string; readonly before: number; readonly after: number }
}

/** Two rates of one leak differ by less: load is never quite the same. */
const leastRatio = 2

export function compare(before: DiagnosedPeriod, after: DiagnosedPeriod): Comparison {
  const [old, now] = [before.report.findings, after.report.findings]
  const inOld = new Map(old.map((finding) => [keyOf(finding), finding]))
  const keys = new Set(now.map(keyOf))
  const lost = old.filter((finding) => !keys.has(keyOf(finding)))
  const findings = [
    ...now.filter((finding) => !inOld.has(keyOf(finding))).map((finding) => changeOf('new', finding)),
    ...lost.map((finding) => changeOf(isSeen(finding, after.evidence) ? 'gone' : 'unseen', finding)),
    ...now.flatMap((finding) => {
      const earlier = inOld.get(keyOf(finding))
      return earlier === undefined ? [] : [sameFinding(earlier, finding)]
    }),
  ]
  const traces = pairOf(before.evidence, after.evidence, now[0]?.owner)
  return printable({
    verdicts: [before.report.verdict, after.report.verdict],
    versions: [before.report.evidence.versions, after.report.evidence.versions],
    findings,
    ...(traces && { traces }),
  })
}

function changeOf(change: FindingChange['change'], finding: ReportedFinding): FindingChange {
  const { disease, title, owner, certainty } = finding
  return { change, disease, title, owner, certainty }
}

/** A finding of both periods. */
function sameFinding({ growth: earlier }: ReportedFinding, finding: ReportedFinding): FindingChange {
  const { growth: later } = finding
  if (earlier === undefined || later === undefined || earlier.unit !== later.unit) return changeOf('unchanged', finding)
  const rates = { unit: later.unit, before: earlier.perHour, after: later.perHour }
  const isFaster = rates.after >= leastRatio * rates.before
  const isSlower = rates.before >= leastRatio * rates.after
  return { ...changeOf(isFaster === isSlower ? 'unchanged' : isFaster ? 'faster' : 'slower', finding), rates }
}

/** What is new, gone and unchanged since an earlier period, with a comparison of one node's traces in Jaeger. */
export function compareLines(
  { verdicts, versions, findings, traces }: Comparison,
  link: (before: Witness, after: Witness) => string | undefined,
): string[] {
  const [before, after] = versions.map((all) => all.join(' and ') || 'unknown')
  const url = traces && link(traces.before, traces.after)
  return [
    '',
    `compared with the earlier period: ${verdicts[1]}, before ${verdicts[0]}; versions ${before}, then ${after}`,
    ...(findings.length === 0 ? ['   nothing in either'] : findings.map(rowText)),
    ...(url === undefined ? [] : [`   compare   a minute of ${traces?.node} before and after: ${url}`]),
  ]
}

function rowText({ change, title, owner, certainty, rates }: FindingChange): string {
  const unsure = certainty === 'insufficient' ? ' (not enough evidence)' : ''
  const why = change === 'unseen' ? ': the later period has too little of it' : ''
  const [before, after] =
    rates === undefined ? [] : [rates.before, rates.after].map((rate) => amountText(rate, rates.unit))
  const rate = change === 'faster' || change === 'slower' ? `: ${after} per hour, before ${before}` : ''
  return `   ${change.padEnd(9)} ${title}: ${ownerText(owner)}${unsure}${why}${rate}`
}

/** Whether the later period would show it. */
function isSeen({ owner }: ReportedFinding, { instances, partial }: Evidence): boolean {
  const nodes = instances.filter(({ mesh, node }) => mesh === owner.mesh && (owner.node === '' || node === owner.node))
  return partial.length === 0 && nodes.some(({ censuses }) => censuses.length > 0)
}

/** The last census of a node in each period: of the ill one, else of its mesh, else of any. */
function pairOf(before: Evidence, after: Evidence, ill: ReportedFinding['owner'] | undefined): Comparison['traces'] {
  const distance = ({ mesh, node }: Instance) => Number(mesh !== ill?.mesh) + Number(node !== ill?.node)
  for (const { mesh, node } of after.instances.toSorted((a, b) => distance(a) - distance(b))) {
    const [one, other] = [before, after].map(({ instances }) =>
      instances.findLast((instance) => instance.mesh === mesh && instance.node === node)?.censuses.at(-1),
    )
    if (one !== undefined && other !== undefined && one.traceId !== other.traceId)
      return { mesh, node, before: one, after: other }
  }
  return undefined
}
