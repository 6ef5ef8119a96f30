import type { TraceSpan } from '../../traces/trace.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { missingSpans } from '../judgement/absence.ts'
import { blameOf } from '../judgement/blame.ts'
import type { Rule } from '../rule.ts'

interface SkewReport {
  readonly mesh: string
  readonly by: string
  readonly about: string
  /** Clock of the second less that of the first. */
  readonly skewMs: number
  readonly span: TraceSpan
}

/** Nodes say that the clock of a peer differs. The wrong one is whom many report, or who reports many. */
export const clockSkew: Rule = {
  name: 'clock-skew',
  find: (evidence) => {
    const reports = evidence.instances.flatMap(reportsOf)
    return [...Map.groupBy(reports, ({ mesh }) => mesh)].flatMap(([mesh, all]) => findingsOf(mesh, all, evidence))
  },
}

function reportsOf(instance: Instance): SkewReport[] {
  return instance.spans('mesh.clock.skewed').map((span) => ({
    mesh: instance.mesh,
    by: instance.node,
    about: String(span.attributes['mesh.peer.name'] || span.attributes['mesh.peer.id']),
    skewMs: Number(span.attributes['mesh.clock.skew_ms']),
    span,
  }))
}

function findingsOf(mesh: string, reports: readonly SkewReport[], evidence: Evidence): Finding[] {
  const { instances } = evidence
  const neighboursOf = (node: string) => linkedTo(instances.filter((one) => one.mesh === mesh && one.node === node))
  return blameOf(reports, neighboursOf).map(({ node, others, isAmbiguous }): Finding => {
    const own = reports.filter(({ by, about }) => by === node || about === node)
    const skews = own.map(({ about, skewMs }) => (about === node ? skewMs : -skewMs)).sort((a, b) => a - b)
    const skewMs = skews[skews.length >> 1] ?? 0
    const instance = instances.findLast((one) => one.mesh === mesh && one.node === node)
    // Of two that report each other, the reports of others and the links of both decide: they may be missing.
    const ends = instances.filter((one) => one.mesh === mesh && [node, ...others].includes(one.node))
    const lost = others.length > 1 ? undefined : ends.map((one) => missingSpans(evidence, one)).find(Boolean)
    const missing = isAmbiguous
      ? `a third node that is linked to ${node} and ${others[0]}: the clock of either may be wrong`
      : lost
    return {
      disease: 'clock-skew',
      owner: { mesh, node, instance: instance?.id ?? '', part: 'clock' },
      certainty: missing === undefined ? 'certain' : 'insufficient',
      sinceMs: Math.min(...own.map(({ span }) => span.startMs)),
      summary: `its clock is ${Math.abs(skewMs) / 1_000} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of ${others.join(', ')}`,
      proof: own.slice(0, 8).map(({ span }) => witnessOf(span)),
      ...(missing !== undefined && { missing, alsoAt: others }),
    }
  })
}

/** Names of the peers to which these processes had a link. */
function linkedTo(instances: readonly Instance[]): readonly string[] {
  const hellos = instances.flatMap((one) => one.spans('mesh.hello.received'))
  return [...new Set(hellos.map(({ attributes }) => String(attributes['mesh.peer.name'])))]
}
