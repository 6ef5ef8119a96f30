import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { isMeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import type { TraceRef } from '../core/trace.ts'
import { FloorTrend, type RisenFloor } from './floor-trend.ts'
import { reserveProfiler } from './heap-sampling.ts'
import { type HeapSite, recordHeapSites } from './heap-sites.ts'
import type { MemoryFloor } from './memory.ts'

export type HeapTrigger = RisenFloor | 'leak-suspected'

export interface HeapWatchOptions {
  readonly owner: Owner
  readonly clock: Clock
  readonly emitSpan: (span: SpanEffect) => void
  readonly onError: (error: unknown) => void
  /** A test replaces it. */
  readonly record?: typeof recordHeapSites
}

/** Length of a recording, and the time from one to the next at least, in milliseconds. */
export const heapWatchMs = { recording: 15_000, pause: 600_000 } as const
const maxSites = 5

/**
 * When a leak is suspected, samples the heap for some seconds and emits the sites that allocated most of what is then
 * still in use: `mesh.heap.site`. Nothing is sampled otherwise, nor while someone else takes a profile.
 */
export class HeapWatch {
  readonly #options: HeapWatchOptions
  readonly #trend: FloorTrend
  #nextAt = -Infinity

  constructor(options: HeapWatchOptions) {
    this.#options = options
    this.#trend = new FloorTrend(options.clock.now())
  }

  noteFloor(floor: MemoryFloor): void {
    const risen = this.#trend.add(floor)
    if (risen !== undefined) this.suspect(risen)
  }

  /** `parent`: the span of the suspicion; by default the sites are children of the node's window. */
  suspect(trigger: HeapTrigger, parent?: TraceRef): void {
    const { owner, clock, onError } = this.#options
    if (owner.closed || clock.now() < this.#nextAt) return
    const stop = new AbortController()
    let done: () => Promise<void>
    try {
      done = owner.adopt('heap sampling', () => stop.abort())
    } catch (error) {
      // The owner holds as much as it may: the suspicion itself must still be emitted.
      onError(error)
      return
    }
    this.#record(trigger, parent, stop.signal)
      .catch((error: unknown) => {
        // Somebody takes a profile, or the node stops: neither is a failure.
        if (!stop.signal.aborted && !isMeshError(error, 'MESH_PROFILE_RUNNING')) onError(error)
      })
      .finally(() => void done())
  }

  async #record(trigger: HeapTrigger, parent: TraceRef | undefined, signal: AbortSignal): Promise<void> {
    const { clock, record = recordHeapSites, emitSpan: emit } = this.#options
    const release = reserveProfiler('heap', heapWatchMs.recording / 1_000)
    try {
      const since = clock.now()
      this.#nextAt = since + heapWatchMs.pause
      const sites = await record(heapWatchMs.recording, signal)
      for (const site of sites.slice(0, maxSites)) emit(siteSpan(site, trigger, since, parent))
    } finally {
      release()
    }
  }
}

function siteSpan(site: HeapSite, trigger: HeapTrigger, since: number, parent: TraceRef | undefined): SpanEffect {
  return emitSpan(
    'mesh.heap.site',
    {
      'mesh.heap.trigger': trigger,
      'mesh.heap.bytes': Math.round(site.bytes),
      'mesh.heap.share': Math.round(site.share * 1_000) / 1_000,
      'code.function.name': site.name,
      'code.file.path': site.file,
      'code.line.number': site.line,
    },
    { since, ...(parent && { parent }) },
  )
}
