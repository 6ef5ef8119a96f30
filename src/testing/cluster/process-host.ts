/** Where a cluster process runs, if not directly on this machine. */
export interface ProcessHost {
  /** Command that executes the process in its place: `nsenter`, `prlimit` and their arguments. */
  readonly through: readonly string[]
  /** Fetches from an HTTP API there; by default on this machine's loopback. */
  readonly fetchJson?: <T>(url: string) => Promise<T>
  /** Makes an endpoint of this machine reachable from there, and returns its URL there. */
  readonly forward?: (endpoint: string) => string
}
