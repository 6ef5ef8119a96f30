import type { Evidence } from '../evidence/evidence.ts'
import type { Instance } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { missingSpans } from '../judgement/absence.ts'
import { type CountedGrowth, growthFinding, growthIn } from '../judgement/counted-growth.ts'
import { everyCensus, partOf, pointsOf, valueAt } from '../judgement/growth.ts'
import { growthUntilLimit, leastStreams } from '../judgement/stream-limits.ts'
import type { Rule } from '../rule.ts'

const list = 'mesh.audit.protocols '
/** A protocol has a stream per connection and direction; another one is open while its successor opens. */
const perConnection = 2
/** Part of the rise that is half closed where the end that accepted the streams does not close them. */
const halfClosedPart = 0.5
/** Both ends count at times that differ by up to an interval. */
const censusMs = 30_000

/** Streams of one protocol and direction that grow at one process. */
interface Grown {
  readonly instance: Instance
  readonly protocol: string
  readonly direction: 'in' | 'out'
  readonly found: CountedGrowth
}

/**
 * Open streams of one protocol that grow beyond the connections. Both ends count a stream: the end that opens them is
 * the owner, but if most are half closed it is the one that accepted them, since the other end has finished.
 */
export const streamsLeft: Rule = {
  name: 'streams-left',
  find(evidence) {
    const grown = evidence.instances.flatMap(grownStreams)
    const byProtocol = Map.groupBy(grown, ({ instance, protocol }) => `${instance.mesh} ${protocol}`)
    return [...byProtocol.values()].flatMap((all) => findingsOf(evidence, all))
  },
}

function grownStreams(instance: Instance): Grown[] {
  return instance.seriesOf(list).flatMap(([key]): Grown[] => {
    const [protocol = '', direction = ''] = key.slice(list.length).split(' ')
    if (direction !== 'in' && direction !== 'out') return []
    const limits = { least: leastStreams, perConnection }
    const found = growthUntilLimit(instance, key) ?? growthIn(instance, { key, isLine: true, ...limits })
    return found === undefined ? [] : [{ instance, protocol, direction, found }]
  })
}

/** One finding for each owner; the other ends are named with it. */
function findingsOf(evidence: Evidence, all: readonly Grown[]): Finding[] {
  const { instances } = evidence
  const opened = all.filter(({ direction }) => direction === 'out')
  const accepted = all.filter(({ direction }) => direction === 'in')
  const handlerLeaks = accepted.length > 0 && accepted.every(isHalfClosed)
  const unseen = opened.length > 0 || handlerLeaks ? [] : accepted.flatMap((one) => unseenOpeners(evidence, one))
  if (unseen.length > 0) return accepted.map((one) => unseenFinding(one, unseen))
  const owners = opened.length === 0 || handlerLeaks ? accepted : opened
  const alsoAt = otherEnds(instances, owners)
  return owners.map((owner) => ({ ...findingOf(owner), ...(alsoAt.length > 0 && { alsoAt }) }))
}

/** Censuses within a rise that a process has at least, so that it would have shown streams of its own. */
const leastCensuses = 3

/** Processes that may have opened what grows at the other end: their censuses of that time are missing. */
function unseenOpeners(evidence: Evidence, { instance: { id, mesh }, found: { rise } }: Grown): readonly Instance[] {
  return evidence.instances.filter((one) => {
    if (one.id === id || one.mesh !== mesh || missingSpans(evidence, one) === undefined) return false
    const censuses = pointsOf(one, everyCensus).filter(
      ({ atMs }) => atMs >= rise.since.atMs && atMs <= rise.last.atMs + censusMs,
    )
    return censuses.length < leastCensuses && one.firstMs < rise.last.atMs && one.lastMs > rise.since.atMs
  })
}

/** The owner is the only one of them that was ever seen to open streams of the protocol; otherwise it is open. */
function unseenFinding(accepted: Grown, unseen: readonly Instance[]): Finding {
  const { instance, protocol } = accepted
  const openers = unseen.filter((one) => pointsOf(one, `${list}${protocol} out`).some(({ value }) => value > 0))
  const [opener] = openers
  const finding = findingOf(accepted)
  if (opener !== undefined && openers.length === 1)
    return { ...finding, owner: partOf(opener, `streams ${protocol} out`), alsoAt: [instance.node] }
  const names = [...new Set(unseen.map(({ node }) => node))].slice(0, 4).join(', ')
  return { ...finding, certainty: 'insufficient', missing: `censuses of ${names}, which may have opened them` }
}

/** Nodes that have as many streams of the protocol in the other direction, whether or not they still grow there. */
function otherEnds(instances: readonly Instance[], owners: readonly Grown[]): readonly string[] {
  const most = Math.max(...owners.map(({ found }) => found.rise.last.value))
  const others = instances.filter((instance) =>
    owners.some((owner) => {
      const key = `${list}${owner.protocol} ${owner.direction === 'in' ? 'out' : 'in'}`
      const last = pointsOf(instance, key, 'none').at(-1)?.value ?? 0
      return (
        instance !== owner.instance && instance.mesh === owner.instance.mesh && last >= Math.max(leastStreams, most / 4)
      )
    }),
  )
  return [...new Set(others.map(({ node }) => node))]
}

function isHalfClosed({ instance, protocol, found: { points, rise } }: Grown): boolean {
  const halfClosed = pointsOf(instance, `${list}${protocol} half_closed`, 'none')
  const riseOf = (counts: typeof points) => valueAt(counts, rise.last.atMs) - valueAt(counts, rise.since.atMs)
  return riseOf(halfClosed) >= halfClosedPart * riseOf(points)
}

function findingOf({ instance, protocol, direction, found }: Grown): Finding {
  return growthFinding(instance, found, {
    disease: 'streams-left',
    part: `streams ${protocol} ${direction}`,
    what: `open ${direction === 'in' ? 'inbound' : 'outbound'} streams of ${protocol}`,
    unit: 'streams',
  })
}
