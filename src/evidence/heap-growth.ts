import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { queryObjects } from 'node:v8'
import { heapStacks, sampleHeap } from './heap-sampling.ts'
import { type HeapSite, heapSites } from './heap-sites.ts'

/** Bytes of a site, or objects of a constructor, in the middle and at the end. */
export interface SiteGrowth extends Pick<HeapSite, 'name' | 'file' | 'line'> {
  readonly middle: number
  readonly end: number
}

export interface ConstructorGrowth {
  readonly name: string
  readonly middle: number
  readonly end: number
}

export interface HeapGrowth {
  /** By growth from the middle to the end. */
  readonly sites: readonly SiteGrowth[]
  readonly counts?: readonly ConstructorGrowth[]
}

/** What leaks are mostly made of; V8 walks the whole heap for each, some 100 ms. */
const counted = [Map, Set, Array, Promise, Uint8Array, AbortSignal, EventTarget, Function] as const

/**
 * Samples the heap for `ms` milliseconds, and reads the sites whose allocations are still in use in the middle and at
 * the end: one that holds what is young has the same both times, and one that leaks has twice as much. Each reading
 * collects garbage, some 50 ms. Rejects if `signal` aborts.
 */
export async function recordHeapGrowth(ms: number, withCounts: boolean, signal: AbortSignal): Promise<HeapGrowth> {
  const { Session } = await import('node:inspector/promises')
  const session = new Session()
  session.connect()
  try {
    const stop = await sampleHeap(session)
    await sleep(ms / 2, undefined, { signal })
    const middle = heapSites(heapStacks((await session.post('HeapProfiler.getSamplingProfile')).profile.head))
    const countsMiddle = withCounts ? await countObjects(signal) : []
    await sleep(ms / 2, undefined, { signal })
    const sites = growthOf(middle, heapSites(await stop()))
    if (!withCounts) return { sites }
    const countsEnd = await countObjects(signal)
    return { sites, counts: counted.map(({ name }, at) => ({ name, ...halves(countsMiddle[at], countsEnd[at]) })) }
  } finally {
    session.disconnect()
  }
}

/** Lets other work run between two constructors. */
async function countObjects(signal: AbortSignal): Promise<number[]> {
  const counts: number[] = []
  for (const kind of counted) {
    await nextTurn(undefined, { signal })
    counts.push(queryObjects(kind, { format: 'count' }))
  }
  return counts
}

/** The sites of two readings, those that grew most first. */
export function growthOf(middle: readonly HeapSite[], end: readonly HeapSite[]): SiteGrowth[] {
  const keyOf = ({ name, file, line }: HeapSite) => `${file}:${line} ${name}`
  const bytesIn = (sites: readonly HeapSite[]) => Map.groupBy(sites, keyOf)
  const sum = (sites: readonly HeapSite[] = []) => sites.reduce((bytes, site) => bytes + site.bytes, 0)
  const [before, after] = [bytesIn(middle), bytesIn(end)]
  return [...new Map([...before, ...after])]
    .flatMap(([key, [site]]) => {
      if (site === undefined) return []
      const { name, file, line } = site
      return [{ name, file, line, ...halves(sum(before.get(key)), sum(after.get(key))) }]
    })
    .sort((a, b) => b.end - b.middle - (a.end - a.middle))
}

function halves(middle = 0, end = 0): { readonly middle: number; readonly end: number } {
  return { middle: Math.round(middle), end: Math.round(end) }
}
