import type { Evidence } from '../evidence/evidence.ts'
import type { Instance } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { missingSpans } from '../judgement/absence.ts'
import { growthFinding } from '../judgement/counted-growth.ts'
import { type GrownStreams, type ProtocolGrowth, protocolGrowths, protocolList } from '../judgement/grown-streams.ts'
import { everyCensus, partOf, pointsOf } from '../judgement/growth.ts'
import { thresholds } from '../judgement/thresholds.ts'
import type { Rule } from '../rule.ts'

/** Both ends count at times that differ by up to an interval. */
const censusMs = 30_000

/** Open streams of one protocol that grow beyond the connections. */
export const streamsLeft: Rule = {
  name: 'streams-left',
  find: (evidence) => protocolGrowths(evidence.instances).flatMap((growth) => findingsOf(evidence, growth)),
}

/** One finding for each owner; the other ends are named with it. */
function findingsOf(evidence: Evidence, { owners, isAcceptedOnly }: ProtocolGrowth): Finding[] {
  const unseen = isAcceptedOnly ? owners.flatMap((one) => unseenOpeners(evidence, one)) : []
  if (unseen.length > 0) return owners.map((one) => unseenFinding(one, unseen))
  const alsoAt = otherEnds(evidence.instances, owners)
  return owners.map((owner) => ({ ...findingOf(owner), ...(alsoAt.length > 0 && { alsoAt }) }))
}

/** Censuses within a rise that a process has at least, so that it would have shown streams of its own. */
const leastCensuses = 3

/** Processes that may have opened what grows at the other end: their censuses of that time are missing. */
function unseenOpeners(
  evidence: Evidence,
  { instance: { key, mesh }, found: { rise } }: GrownStreams,
): readonly Instance[] {
  return evidence.instances.filter((one) => {
    if (one.key === key || one.mesh !== mesh || missingSpans(evidence, one) === undefined) return false
    const censuses = pointsOf(one, everyCensus).filter(
      ({ atMs }) => atMs >= rise.since.atMs && atMs <= rise.last.atMs + censusMs,
    )
    return censuses.length < leastCensuses && one.firstMs < rise.last.atMs && one.lastMs > rise.since.atMs
  })
}

/** The owner is the only one of them that was ever seen to open streams of the protocol; otherwise it is open. */
function unseenFinding(accepted: GrownStreams, unseen: readonly Instance[]): Finding {
  const { instance, protocol } = accepted
  const openers = unseen.filter((one) => pointsOf(one, `${protocolList}${protocol} out`).some(({ value }) => value > 0))
  const [opener] = openers
  const finding = findingOf(accepted)
  if (opener !== undefined && openers.length === 1)
    return { ...finding, owner: partOf(opener, `streams ${protocol} out`), alsoAt: [instance.node] }
  const names = [...new Set(unseen.map(({ node }) => node))].slice(0, 4).join(', ')
  return { ...finding, certainty: 'insufficient', missing: `censuses of ${names}, which may have opened them` }
}

/** Nodes that have as many streams of the protocol in the other direction, whether or not they still grow there. */
function otherEnds(instances: readonly Instance[], owners: readonly GrownStreams[]): readonly string[] {
  const most = Math.max(...owners.map(({ found }) => found.rise.last.value))
  const others = instances.filter((instance) =>
    owners.some((owner) => {
      const key = `${protocolList}${owner.protocol} ${owner.direction === 'in' ? 'out' : 'in'}`
      const last = pointsOf(instance, key, 'none').at(-1)?.value ?? 0
      return (
        instance !== owner.instance &&
        instance.mesh === owner.instance.mesh &&
        last >= Math.max(thresholds.streams.least, most / 4)
      )
    }),
  )
  return [...new Set(others.map(({ node }) => node))]
}

function findingOf({ instance, protocol, direction, found }: GrownStreams): Finding {
  return growthFinding(instance, found, {
    disease: 'streams-left',
    part: `streams ${protocol} ${direction}`,
    what: `open ${direction === 'in' ? 'inbound' : 'outbound'} streams of ${protocol}`,
    unit: 'streams',
  })
}
