import type { Evidence } from '../../doctor/evidence/evidence.ts'
import type { Instance, Witness } from '../../doctor/evidence/instance.ts'
import type { Report, ReportedFinding } from '../../doctor/report/report.ts'
import { keyOf } from './news.ts'
import { ownerText } from './report-text.ts'

/** A period with what the doctor says of it. */
export interface Diagnosed {
  readonly report: Report
  readonly evidence: Evidence
}

/** What differs between two periods; with `--json` part of the report of the later one. */
export interface Comparison {
  readonly verdicts: readonly [before: Report['verdict'], after: Report['verdict']]
  /** Builds of the nodes. */
  readonly versions: readonly [before: readonly string[], after: readonly string[]]
  readonly findings: readonly Compared[]
  /** A trace of each period of a node, to compare in Jaeger: of the first finding, or of any node. */
  readonly traces?: { readonly node: string; readonly before: Witness; readonly after: Witness }
}

/**
 * `unseen`: it is not in the later period, and neither is its node, or spans are missing there. A finding without enough
 * evidence is neither new nor gone for sure.
 */
export interface Compared extends Pick<ReportedFinding, 'disease' | 'title' | 'owner' | 'certainty'> {
  readonly change: 'new' | 'gone' | 'unseen' | 'unchanged'
}

export function compare(before: Diagnosed, after: Diagnosed): Comparison {
  const [old, now] = [before.report.findings, after.report.findings]
  const isIn = (all: readonly ReportedFinding[], one: ReportedFinding) =>
    all.some((other) => keyOf(other) === keyOf(one))
  const row = (change: Compared['change']) => (finding: ReportedFinding) => {
    const { disease, title, owner, certainty } = finding
    return { change, disease, title, owner, certainty }
  }
  const lost = old.filter((one) => !isIn(now, one))
  const findings = [
    ...now.filter((one) => !isIn(old, one)).map(row('new')),
    ...lost.map((one) => row(isSeen(one, after.evidence) ? 'gone' : 'unseen')(one)),
    ...now.filter((one) => isIn(old, one)).map(row('unchanged')),
  ]
  const traces = pairOf(before.evidence, after.evidence, now[0]?.owner.node)
  return {
    verdicts: [before.report.verdict, after.report.verdict],
    versions: [before.report.evidence.versions, after.report.evidence.versions],
    findings,
    ...(traces && { traces }),
  }
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

function rowText({ change, title, owner, certainty }: Compared): string {
  const unsure = certainty === 'insufficient' ? ' (not enough evidence)' : ''
  const why = change === 'unseen' ? ': the later period has too little of it' : ''
  return `   ${change.padEnd(9)} ${title}: ${ownerText(owner)}${unsure}${why}`
}

/** Whether the later period would show it. */
function isSeen({ owner }: ReportedFinding, { instances, partial }: Evidence): boolean {
  const nodes = instances.filter(({ mesh, node }) => mesh === owner.mesh && (owner.node === '' || node === owner.node))
  return partial.length === 0 && nodes.some(({ censuses }) => censuses.length > 0)
}

/** The last census of a node in each period. */
function pairOf(before: Evidence, after: Evidence, ill: string | undefined): Comparison['traces'] {
  const lastOf = (instances: readonly Instance[], node: string) =>
    instances.findLast((instance) => instance.node === node)?.censuses.at(-1)
  const nodes = [ill, ...after.instances.map(({ node }) => node)].filter((node) => node !== undefined)
  for (const node of nodes) {
    const [one, other] = [lastOf(before.instances, node), lastOf(after.instances, node)]
    if (one !== undefined && other !== undefined && one.traceId !== other.traceId)
      return { node, before: one, after: other }
  }
  return undefined
}
