import type { Network } from '../core/events.ts'

/** Mesh that every network of the suite is in. */
export const suiteMesh = 'suite'

/** Some networks of one kind, not yet started: the suite calls `start` and `stop` of each. */
export interface SuiteWorld {
  readonly networks: readonly Network[]
  /** Where each network can be dialled, by its index, without `/p2p/`. */
  readonly addresses: readonly string[]
  /** Where each guest can be dialled: peers that run and identify but do not speak the link protocol. */
  readonly guests: readonly string[]
  /** A well-formed address at which nobody listens. */
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
