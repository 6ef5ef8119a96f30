/** The mesh that a soak is run against. */
export interface SoakTarget {
  /** In words, such as `a lab of 4 nodes`. */
  readonly what: string
  readonly mesh: string
  /** Addresses of nodes at which lives join. */
  readonly addresses: readonly string[]
  readonly topic: string
  /** Whether nodes of the mesh subscribe to that topic. */
  readonly hasListeners: boolean
  /** URL with `/api/v3`. */
  readonly traces: string
  /** Receiver of the verdict; undefined if none is known. */
  readonly otlp: string | undefined
  /** Module that takes `soak lives …`. */
  readonly entry: string
  /** Makes nodes collect garbage, if it can. */
  collectGarbage(signal: AbortSignal): Promise<void>
  /** Ends what the soak has started, and returns the problems of that. */
  close(): Promise<readonly string[]>
}
