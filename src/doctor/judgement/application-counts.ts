import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import { type CountedGrowth, growthOfPoints } from './counted-growth.ts'
import { mergePoints, pointsOf, type Rise, riseIn } from './growth.ts'
import { connections, isOfLoad } from './load.ts'
import { isOfApplication } from './registry-counts.ts'
import { thresholds } from './thresholds.ts'

const list = 'mesh.audit.applications '
/** Entries that an application may have of each peer, where more and more peers come. */
const perPeer = 32

/** A collection that an application registered, and that grows. */
export interface GrownCollection {
  readonly name: string
  readonly found: CountedGrowth
  /** Why that may be no leak, in words; undefined if nothing says so. */
  readonly doubt: string | undefined
}

export function grownCollections(instance: Instance): GrownCollection[] {
  return instance.seriesOf(list).flatMap(([key]): GrownCollection[] => {
    const name = key.slice(list.length, -' size'.length)
    // A census may be missing, or the registry's own span.
    const points = mergePoints(pointsOf(instance, key, 'none'), countsIn(instance, name, 'size'))
    const limits = neverReleases(instance, name, points) ? thresholds.unreleased : thresholds.collection
    const found = growthOfPoints(instance, points, limits)
    if (found === undefined) return bulkOf(instance, name, points)
    if (isOfLoad(instance, points, found.rise, [{ ...connections, per: perPeer }])) return []
    return [{ name, found, doubt: fillingDoubt(instance, name, points) ?? turnoverDoubt(instance, name, found.rise) }]
  })
}

/** A count of a registry of the application; a watched collection has only its size. */
export function countsIn(instance: Instance, name: string, field: string): readonly Point[] {
  const registry = instance.registries().find((one) => one.name === name && isOfApplication(one))
  return registry === undefined ? [] : pointsOf(instance, `${registry.key} ${field}`)
}

/** Connections ended while entries were added, and no entry has ever left. */
function neverReleases(instance: Instance, name: string, sizes: readonly Point[]): boolean {
  const [first, last] = [sizes[0], countsIn(instance, name, 'released').at(-1)]
  if (first === undefined || last === undefined || last.value > 0) return false
  // The spans of one census are some milliseconds apart.
  const closed = riseIn(pointsOf(instance, 'mesh.audit.closed_total'), first.atMs, last.atMs)
  return Math.round(closed) >= thresholds.unreleased.least
}

/** Entries that come in bulk show no steady rise, so the counts of a registry have to say that none has ever left. */
const bulk = { least: 64, times: 2 }
/** The end of the window, and the part of the entries that comes in it: those that came at the start may be all. */
const end = { ofWindow: 0.4, ofRise: 0.25 }

function bulkOf(instance: Instance, name: string, sizes: readonly Point[]): GrownCollection[] {
  const [added, released] = ['added', 'released'].map((field) => countsIn(instance, name, field))
  const [since, last] = [sizes[0], sizes.at(-1)]
  if (since === undefined || last === undefined || released?.at(-1)?.value !== 0 || added === undefined) return []
  const rises = added.filter(({ value }, index) => value > (added[index - 1]?.value ?? Number.POSITIVE_INFINITY))
  const [total, endMs] = [last.value - since.value, end.ofWindow * (last.atMs - since.atMs)]
  if (total < bulk.least || rises.length < bulk.times) return []
  if (riseIn(sizes, last.atMs - endMs, last.atMs) < end.ofRise * total) return []
  const rise = { since, last }
  if (isOfLoad(instance, sizes, rise, [{ ...connections, per: perPeer }])) return []
  const doubt = `a longer window: entries came ${rises.length} times, and none of them has ever left`
  return [{ name, found: { points: sizes, rise, isShort: false }, doubt }]
}

const hourMs = 3_600_000
/** A cache fills to the capacity that its application set: part of it that is full, or time in which it will be. */
const filling = { part: 0.1, ms: 2 * hourMs }

/** Below the bound that the application itself set, which it will reach soon, and nothing left that could have stayed. */
function fillingDoubt(instance: Instance, name: string, sizes: readonly Point[]): string | undefined {
  const capacity = countsIn(instance, name, 'capacity').at(-1)?.value
  const [first, last] = [sizes[0], sizes.at(-1)]
  if (capacity === undefined || first === undefined || last === undefined || last.value > capacity) return undefined
  const leftMs = ((capacity - last.value) * (last.atMs - first.atMs)) / Math.max(1, last.value - first.value)
  if (last.value < filling.part * capacity && leftMs > filling.ms) return undefined
  return `what it does at its capacity of ${capacity}: it has ${last.value} entries, and may be a cache that fills`
}

/** Part of what was added that has left again; by how much more may be added than before; how long a load rises. */
const turnover = { part: 0.75, more: 1.25, ms: hourMs }

/** Entries come and go, and all that are there may be young: more users make it larger just as a few that stay do. */
function turnoverDoubt(instance: Instance, name: string, { since, last }: Rise): string | undefined {
  const riseOf = (field: string, fromMs: number, toMs: number) => riseIn(countsIn(instance, name, field), fromMs, toMs)
  const [added, left] = ['added', 'released'].map((field) => riseOf(field, since.atMs, last.atMs)) as [number, number]
  const thirdMs = (last.atMs - since.atMs) / 3
  const latest = riseOf('added', last.atMs - thirdMs, last.atMs)
  const size = countsIn(instance, name, 'size').at(-1)?.value ?? 0
  if (added <= 0 || left < turnover.part * added || size > latest) return undefined
  const isSteady = latest <= turnover.more * riseOf('added', since.atMs, since.atMs + thirdMs)
  if (isSteady && last.atMs - since.atMs >= turnover.ms) return undefined
  return `a longer window with a steady load: ${left} of ${added} entries that came have left, and those that are there may be young`
}
