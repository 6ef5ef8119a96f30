import type { Instance } from '../evidence/instance.ts'
import type { CountedGrowth } from './counted-growth.ts'
import { pointsOf } from './growth.ts'
import { thresholds } from './thresholds.ts'

const limitList = 'mesh.audit.limits '
/** Part of a limit that one protocol has; part of the rise in which a count is still near its least value. */
const [mostOfLimit, nearLeast] = [0.5, 0.05]

/** Limits that a leak reaches, and that then stop it. */
const streamLimits = ['streamsPerPeer', 'streamsPerProtocol']

/** Streams that a limit stopped: it refuses more at each census, and this protocol has most of what it allows. */
export function growthUntilLimit(instance: Instance, key: string): CountedGrowth | undefined {
  const points = pointsOf(instance, key, 'none')
  const last = points.at(-1)
  const least = Math.min(...points.map(({ value }) => value))
  const since = points.findLast(({ value }) => value <= least + nearLeast * ((last?.value ?? 0) - least))
  if (last === undefined || since === undefined || last.value - since.value < thresholds.streams.least) return undefined
  const isStopped = streamLimits.some((name) => {
    const [refusals, limits] = ['refusals', 'limit'].map((field) =>
      pointsOf(instance, `${limitList}${name} ${field}`, 'none'),
    )
    const latest = (refusals ?? []).slice(-2).map(({ value }) => value)
    return (latest[1] ?? 0) > (latest[0] ?? 0) && last.value >= mostOfLimit * (limits?.at(-1)?.value ?? Infinity)
  })
  return isStopped ? { points, rise: { since, last }, isShort: false } : undefined
}
