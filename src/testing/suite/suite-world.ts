import type { Network } from '../../core/events.ts'

/** The mesh of all networks of the suite. */
export const suiteMesh = 'suite'

/** Networks of one kind, not yet started: the suite calls `start` and `stop` of each. */
export interface SuiteWorld {
  readonly networks: readonly Network[]
  /** Listen address of each network, by its index, without `/p2p/`. */
  readonly addresses: readonly string[]
  /** Listen addresses of the guests: peers that identify but do not support the link protocol. */
  readonly guests: readonly string[]
  /** A valid address without a listener. */
  readonly deadAddress: string
  /** Lets `ms` milliseconds pass: virtual ones or real ones. */
  settle(ms: number): Promise<void>
  /** Frees everything; the networks are stopped by then. */
  close(): Promise<void>
}

export interface SuiteOptions {
  /** How many guests to run beside the networks. */
  readonly guests: number
  /** Mesh whose digests all networks subscribe to. */
  readonly mesh: string
}

export interface SuiteHarness {
  create(count: number, options: SuiteOptions): Promise<SuiteWorld>
}
