import type { Owner } from '../core/owner.ts'
import { DescriptorReader } from './descriptors.ts'
import { HeapWatch, type HeapWatchOptions } from './heap-watch.ts'
import { MemoryReader } from './memory.ts'
import type { ProcessReaders } from './process-evidence.ts'
import type { TimerReader } from './timers.ts'
import type { VitalsReader } from './vitals.ts'

export interface ProcessWatchOptions extends HeapWatchOptions {
  readonly owner: Owner
  readonly vitals: VitalsReader
  readonly timers: TimerReader | undefined
  /** Whether to sample the heap when a leak is suspected. */
  readonly heapSites: boolean
}

/** What reads the process for the census, until its owner closes. */
export class ProcessWatch implements ProcessReaders {
  readonly vitals: VitalsReader
  readonly timers: TimerReader | undefined
  readonly memory: MemoryReader
  readonly descriptors = new DescriptorReader()
  /** Undefined if switched off. */
  readonly heap: HeapWatch | undefined

  constructor(options: ProcessWatchOptions) {
    this.vitals = options.vitals
    this.timers = options.timers
    this.heap = options.heapSites ? new HeapWatch(options) : undefined
    this.memory = new MemoryReader(options.clock)
    this.memory.start(options.owner, (floor) => this.heap?.noteFloor(floor))
  }
}
