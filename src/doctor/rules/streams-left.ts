import { type CountedGrowth, growthFinding, growthIn, growthOfPoints } from '../counted-growth.ts'
import type { Instance } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { pointsOf, valueAt } from '../growth.ts'
import type { Rule } from '../rule.ts'

const list = 'mesh.audit.protocols '
/** Above what a handful of peers that join opens at once. */
const leastRise = 16
/** A protocol has a stream per connection and direction; another one is open while its successor opens. */
const perConnection = 2
/** Part of the most streams that are still open where a limit stopped the growth. */
const stillOpenPart = 0.8
/** Part of the rise that is half closed where the end that accepted the streams does not close them. */
const halfClosedPart = 0.5

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
    return [...byProtocol.values()].flatMap(findingsOf)
  },
}

function grownStreams(instance: Instance): Grown[] {
  return instance.seriesOf(list).flatMap(([key]): Grown[] => {
    const [protocol = '', direction = ''] = key.slice(list.length).split(' ')
    if (direction !== 'in' && direction !== 'out') return []
    const limits = { least: leastRise, perConnection }
    const found = growthIn(instance, { key, isLine: true, ...limits }) ?? growthUntilLimit(instance, key, limits)
    return found === undefined ? [] : [{ instance, protocol, direction, found }]
  })
}

/** Limits that a leak reaches, and that then stop it. */
const streamLimits = ['streamsPerPeer', 'streamsPerProtocol']

/** The growth until a limit of streams began to refuse some, if the streams are still open. */
function growthUntilLimit(instance: Instance, key: string, limits: { least: number; perConnection: number }) {
  const refusals = streamLimits.flatMap((name) => pointsOf(instance, `mesh.audit.limits ${name} refusals`, true))
  const fromMs = Math.min(...refusals.filter(({ value }) => value > 0).map(({ atMs }) => atMs))
  const points = pointsOf(instance, key, true)
  const isThere = (points.at(-1)?.value ?? 0) >= stillOpenPart * Math.max(0, ...points.map(({ value }) => value))
  if (!Number.isFinite(fromMs) || !isThere) return undefined
  const found = growthOfPoints(
    instance,
    points.filter(({ atMs }) => atMs <= fromMs),
    limits,
  )
  return found && { ...found, points }
}

/** One finding for each owner; the other ends are named with it. */
function findingsOf(all: readonly Grown[]): Finding[] {
  const opened = all.filter(({ direction }) => direction === 'out')
  const accepted = all.filter(({ direction }) => direction === 'in')
  const handlerLeaks = accepted.length > 0 && accepted.every(isHalfClosed)
  const owners = opened.length === 0 || handlerLeaks ? accepted : opened
  const others = owners === opened ? accepted : opened
  const alsoAt = [...new Set(others.map(({ instance }) => instance.node))]
  return owners.map((owner) => ({ ...findingOf(owner), ...(alsoAt.length > 0 && { alsoAt }) }))
}

function isHalfClosed({ instance, protocol, found: { points, rise } }: Grown): boolean {
  const halfClosed = pointsOf(instance, `${list}${protocol} half_closed`, true)
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
