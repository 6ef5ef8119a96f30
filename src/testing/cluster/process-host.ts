/** Where a cluster process runs, if not directly on this machine. */
export interface ProcessHost {
  /** Command that executes the process in its place: `nsenter`, `prlimit` and their arguments. */
  readonly through: readonly string[]
  /** Fetches from an HTTP API there; by default on this machine's loopback. */
  readonly fetchJson?: <T>(url: string) => Promise<T>
  /** Makes an endpoint of this machine reachable from there, and returns its URL there. */
  readonly forward?: (endpoint: string) => string
}

const limitMs = 5_000

/**
 * Fetches JSON from an HTTP API. Rejects without an answer and on any status but 200. Closes its connection, which would
 * outlive the server process.
 */
export async function fetchJson<T>(url: string): Promise<T> {
  const response = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(limitMs) })
  if (response.status === 200) return (await response.json()) as T
  throw new Error(`${url} answered ${response.status}: ${(await response.text()).slice(0, 200)}`)
}
