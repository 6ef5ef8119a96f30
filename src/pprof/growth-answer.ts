/** What `/debug/pprof/growth` answers: what a process allocated in a time and still used at the middle and at the end. */
export interface GrowthAnswer {
  /** Raised when a reader of the former shape would be wrong. */
  readonly format: 1
  readonly process: GrowthProcess
  readonly seconds: number
  /** Bytes of all sites. */
  readonly total: Halves
  /** Those that grew most in the second half, the largest first. */
  readonly sites: readonly GrowthSite[]
  /** Objects by the name of their constructor, if asked for. */
  readonly counts?: readonly (Halves & { readonly name: string })[]
}

export interface GrowthProcess {
  readonly mesh: string
  readonly node: string
  readonly peer: string
  readonly version: string
  readonly pid: number
}

/** A value at the middle and at the end of the time, after a collection of garbage. */
export interface Halves {
  readonly middle: number
  readonly end: number
}

/** A function, with the bytes that it allocated in that time and that were still in use. */
export interface GrowthSite extends Halves {
  readonly name: string
  /** Absolute path; `node:…` of Node itself; empty of V8. */
  readonly file: string
  readonly line: number
}
