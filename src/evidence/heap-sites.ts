import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Stack, sampleHeap } from './heap-sampling.ts'

/** A function that allocated memory which is still in use. */
export interface HeapSite {
  readonly name: string
  /** Absolute path; `node:…` of Node itself; empty of V8. */
  readonly file: string
  readonly line: number
  readonly bytes: number
  /** Its part of all sampled bytes, from 0 to 1. */
  readonly share: number
}

/**
 * Samples the heap for `ms` milliseconds, and returns the sites whose allocations of that time are still in use, the
 * largest first. V8 collects garbage at the end, some 50 ms. Rejects if `signal` aborts.
 */
export async function recordHeapSites(ms: number, signal: AbortSignal): Promise<HeapSite[]> {
  const { Session } = await import('node:inspector/promises')
  const session = new Session()
  session.connect()
  try {
    const stop = await sampleHeap(session)
    await sleep(ms, undefined, { signal })
    return heapSites(await stop())
  } finally {
    session.disconnect()
  }
}

/** Adds up stacks by their innermost frame with a file: an allocation inside V8 or Node is of the function that calls it. */
export function heapSites(stacks: readonly Stack[]): HeapSite[] {
  const total = stacks.reduce((sum, { values }) => sum + (values[0] ?? 0), 0)
  const located = stacks.map(({ frames, values }) => ({
    frame: frames.find(({ url }) => url !== '' && !url.startsWith('node:')) ?? frames[0],
    bytes: values[0] ?? 0,
  }))
  const groups = Map.groupBy(located, ({ frame }) => `${frame?.scriptId}:${frame?.lineNumber}:${frame?.columnNumber}`)
  const sites = Array.from(groups.values(), (all): HeapSite => {
    const bytes = all.reduce((sum, one) => sum + one.bytes, 0)
    const { functionName = '', url = '', lineNumber = -1 } = all[0]?.frame ?? {}
    // V8 counts lines from 0.
    const line = lineNumber + 1
    const file = url.startsWith('file:') ? fileURLToPath(url) : url
    return { name: functionName || '(anonymous)', file, line, bytes, share: total === 0 ? 0 : bytes / total }
  })
  return sites.sort((a, b) => b.bytes - a.bytes)
}
