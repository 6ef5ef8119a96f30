import type { Evidence } from '../evidence/evidence.ts'
import type { Instance } from '../evidence/instance.ts'
import { everyCensus, largestFall, pointsOf, valueAt } from './growth.ts'
import { floorsOf, warmUpMs } from './memory-floors.ts'
import { externalBounds, heapBounds, thresholds } from './thresholds.ts'

const hourMs = 3_600_000

/** The smallest leak of memory that the evidence of a process would show: one below it stays unseen. */
export interface Resolution {
  readonly kind: 'heap' | 'external'
  /** Undefined if no rise at all would show: `missing` says why. */
  readonly bytes: number | undefined
  readonly perHour: number | undefined
  /** Bytes per connection that came; undefined without churn. */
  readonly perEvent: number | undefined
  readonly missing?: string
}

/** A rise is judged over four points. */
const leastFloors = 4

/** What the evidence of one process can resolve. */
export function resolutionsOf(instance: Instance): readonly Resolution[] {
  return (['heap', 'external'] as const).map((kind) => resolutionOf(instance, kind))
}

function resolutionOf(instance: Instance, kind: Resolution['kind']): Resolution {
  const bounds = kind === 'heap' ? heapBounds : externalBounds
  const all = floorsOf(instance, kind)
  const warm = all.filter(({ atMs }) => atMs >= instance.firstMs + warmUpMs)
  const isWarm = warm.length >= leastFloors
  const floors = isWarm ? warm : all
  const [first, last] = [floors[0], floors.at(-1)]
  if (first === undefined || last === undefined || floors.length < leastFloors) {
    const missing = `${floors.length} floors after major collections, ${leastFloors} are needed`
    return { kind, bytes: undefined, perHour: undefined, perEvent: undefined, missing }
  }
  const bytes = Math.max(isWarm ? bounds.warm : bounds.anytime, 2 * largestFall(floors))
  const opened = pointsOf(instance, 'mesh.audit.opened_total')
  const events = valueAt(opened, last.atMs) - valueAt(opened, first.atMs)
  return {
    kind,
    bytes,
    perHour: Math.round((bytes / (last.atMs - first.atMs)) * hourMs),
    perEvent: events > 0 ? Math.round(bytes / events) : undefined,
  }
}

/** The smallest leak of something counted that the evidence of a process would show. */
export interface CountResolution {
  readonly node: string
  readonly entries: number
  readonly perHour: number
  readonly perEvent: number | undefined
}

/** Undefined if no rise of a count at all would show, for too few censuses. */
function countResolutionOf(instance: Instance): CountResolution | undefined {
  const censuses = pointsOf(instance, everyCensus)
  const [first, last] = [censuses[0], censuses.at(-1)]
  if (first === undefined || last === undefined || censuses.length < leastFloors) return undefined
  const { least } = thresholds.collection
  const events = last.value - first.value
  return {
    node: instance.node,
    entries: least,
    perHour: Math.ceil((least / (last.atMs - first.atMs)) * hourMs),
    perEvent: events > 0 ? Math.round((100 * least) / events) / 100 : undefined,
  }
}

/** What a leak of memory that nothing counts would have had to reach to be seen, in all processes. */
export interface Resolutions {
  /** Processes with enough floors, and those without. */
  readonly processesWith: number
  readonly processesWithout: number
  /** Of the process where it is largest; undefined if none has enough. */
  readonly heap: OfNode | undefined
  readonly external: OfNode | undefined
  /** Of something counted; of the process that was seen for the shortest time. */
  readonly counts?: CountResolution | undefined
}

interface OfNode extends Resolution {
  readonly node: string
  readonly bytes: number
}

export function resolutionsIn({ instances }: Evidence): Resolutions {
  const all = instances.flatMap((instance) => resolutionsOf(instance).map((one) => ({ ...one, node: instance.node })))
  const known = all.filter((one): one is OfNode => one.bytes !== undefined)
  const largest = (kind: Resolution['kind']) =>
    known.filter((one) => one.kind === kind).toSorted((a, b) => b.bytes - a.bytes)[0]
  const processesWith = known.filter(({ kind }) => kind === 'heap').length
  const counted = instances.flatMap((instance) => countResolutionOf(instance) ?? [])
  return {
    processesWith,
    processesWithout: instances.length - processesWith,
    heap: largest('heap'),
    external: largest('external'),
    counts: counted.toSorted((a, b) => b.perHour - a.perHour)[0],
  }
}
