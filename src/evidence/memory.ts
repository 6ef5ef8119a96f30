import { constants, type NodeGCPerformanceDetail, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'

/** Memory of the process outside V8's heap, and what was left of both after the last major collection. Bytes. */
export interface MemoryReading {
  /** Memory that JavaScript objects hold outside the heap: buffers, and native objects that report their size. */
  readonly external: number
  /** The part of it in `ArrayBuffer`s. */
  readonly arrayBuffers: number
  /** Major collections since the start of the reader. */
  readonly majorGcs: number
  /** Undefined before the first major collection. */
  readonly floor: MemoryFloor | undefined
}

/** What a major collection left: what is still referenced, without the garbage that blurs every other reading. */
export interface MemoryFloor {
  readonly heap: number
  readonly external: number
  /** Monotonic milliseconds. */
  readonly at: number
}

/** Node's types do not say that a `gc` entry has a detail of its own. */
type GcEntry = PerformanceEntry & { readonly detail?: NodeGCPerformanceDetail }

type Usage = Pick<NodeJS.MemoryUsage, 'heapUsed' | 'external' | 'arrayBuffers'>

/** Reads the memory of the process, and its floors after major collections; V8 decides when those run. */
export class MemoryReader {
  readonly #clock: Clock
  readonly #usage: () => Usage
  #majorGcs = 0
  #floor: MemoryFloor | undefined

  constructor(clock: Clock, usage: () => Usage = process.memoryUsage) {
    this.#clock = clock
    this.#usage = usage
  }

  /** Observes collections until `owner` closes. `onFloor` gets each new floor. */
  start(owner: Owner, onFloor?: (floor: MemoryFloor) => void): void {
    const observer = new PerformanceObserver((list) => {
      const majors = (list.getEntries() as GcEntry[]).filter(
        ({ detail }) => detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR,
      ).length
      if (majors === 0) return
      this.recordMajorGcs(majors)
      if (this.#floor !== undefined) onFloor?.(this.#floor)
    })
    observer.observe({ entryTypes: ['gc'] })
    owner.adopt('gc observer', () => observer.disconnect())
  }

  /** Takes the floor: call it right after `count` major collections. */
  recordMajorGcs(count: number): void {
    const { heapUsed, external } = this.#usage()
    this.#majorGcs += count
    this.#floor = { heap: heapUsed, external, at: this.#clock.now() }
  }

  read(): MemoryReading {
    const { external, arrayBuffers } = this.#usage()
    return { external, arrayBuffers, majorGcs: this.#majorGcs, floor: this.#floor }
  }
}
