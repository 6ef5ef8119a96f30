import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import { type CountedGrowth, growthOfPoints } from './counted-growth.ts'
import { mergePoints, pointsOf, riseIn } from './growth.ts'
import { isOfApplication } from './registry-counts.ts'

const list = 'mesh.audit.applications '
/** Entries that some users of an application add at once. */
const leastRise = 16
/** The same if none was ever released although so many connections ended meanwhile. */
const leastUnreleased = 8
/** A collection may have entries of each peer. */
const perConnection = 2

/** A collection that an application registered, and that grows. */
export interface GrownCollection {
  readonly name: string
  readonly found: CountedGrowth
}

export function grownCollections(instance: Instance): GrownCollection[] {
  return instance.seriesOf(list).flatMap(([key]): GrownCollection[] => {
    const name = key.slice(list.length, -' size'.length)
    // A census may be missing, or the registry's own span.
    const points = mergePoints(pointsOf(instance, key, 'none'), countsIn(instance, name, 'size'))
    const least = neverReleases(instance, name, points) ? leastUnreleased : leastRise
    const found = growthOfPoints(instance, points, { least, perConnection })
    return found === undefined ? [] : [{ name, found }]
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
  return Math.round(closed) >= leastUnreleased
}
