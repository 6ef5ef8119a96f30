/** Where a process of a cluster runs, when that is not plainly this machine. */
export interface ProcessHost {
  /** Command that replaces itself by the process: `nsenter`, `prlimit` and their arguments. */
  readonly through: readonly string[]
  /** Asks an HTTP API at that place; this machine's loopback unless given. */
  readonly fetchJson?: <T>(url: string) => Promise<T>
  /** Makes an endpoint of this machine reachable from there, and returns it as it is seen from there. */
  readonly forward?: (endpoint: string) => string
}
