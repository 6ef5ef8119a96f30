import { MeshError } from '../core/errors.ts'

export interface FetchOptions {
  /** Whether 404 means "nothing found", as for traces; for other requests it means an unknown path. */
  readonly isSearch: boolean
  /** Whether the server may lack this API: the result is then undefined. */
  readonly isOptional?: boolean
  readonly fetch: typeof fetch
  /** Timeout of the complete response, in milliseconds. */
  readonly timeoutMs: number
}

/** Longest response, in bytes: about 100,000 spans of Jaeger. */
const maxBodyBytes = 64 * 1024 * 1024

/** Responses of servers without an API. A proxy that refuses a request (401, 403) says nothing about the server. */
const absentStatuses: readonly number[] = [204, 404, 405, 501]

/**
 * Fetches JSON from a trace store; undefined if the store answers a search with 404 and JSON, or lacks an optional API.
 *
 * @throws MESH_TRACES_UNREACHABLE without a response in time, MESH_TRACES_REFUSED for an error status,
 * MESH_TRACES_UNREADABLE for a response that is not JSON.
 */
export async function fetchJson(url: string, { fetch, timeoutMs, ...options }: FetchOptions): Promise<unknown> {
  const response = await fetchResponse(url, fetch, timeoutMs)
  if (options.isOptional && lacksApi(response)) return undefined
  const { status, contentType, body } = response
  if (options.isSearch && status === 404 && isJson(body)) return undefined
  if (status < 200 || status > 299) throw new MeshError('MESH_TRACES_REFUSED', { url, status, reason: reasonOf(body) })
  // For an unknown path Jaeger sends the page of its user interface, with 200.
  if (contentType.includes('html')) throw unreadableError(url, 'it is a web page, not the API of a trace store')
  try {
    return JSON.parse(body)
  } catch (error) {
    throw unreadableError(url, `it is not JSON (${error instanceof Error ? error.message : error})`, error)
  }
}

/** Whether a server lacks an API. A page that is not Jaeger's own may be a proxy's, for its login or an error. */
export function lacksApi({ status, contentType, body }: StoreResponse): boolean {
  return absentStatuses.includes(status) || (status === 200 && contentType.includes('html') && /jaeger/i.test(body))
}

/** Tells a store's 404 from that of a proxy or another server, which is a page. */
export function isJson(body: string): boolean {
  try {
    JSON.parse(body)
    return true
  } catch {
    return false
  }
}

export function unreadableError(url: string, reason: string, cause?: unknown): MeshError<'MESH_TRACES_UNREADABLE'> {
  return new MeshError('MESH_TRACES_UNREADABLE', { url, reason }, { cause })
}

interface StoreResponse {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

async function fetchResponse(url: string, fetch: FetchOptions['fetch'], timeoutMs: number): Promise<StoreResponse> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(url, { signal, headers: { accept: 'application/json' } })
    const contentType = response.headers.get('content-type') ?? ''
    return { status: response.status, contentType, body: await readBody(response, url) }
  } catch (error) {
    if (error instanceof MeshError) throw error
    const cause = signal.aborted ? `no answer within ${timeoutMs} ms` : fetchCauseOf(error)
    throw new MeshError('MESH_TRACES_UNREACHABLE', { url, cause }, { cause: error })
  }
}

async function readBody(response: Response, url: string): Promise<string> {
  if (response.body === null) return ''
  const decoder = new TextDecoder()
  const reader = response.body.getReader()
  const parts: string[] = []
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return parts.join('') + decoder.decode()
    bytes += value.byteLength
    if (bytes > maxBodyBytes) {
      await reader.cancel()
      throw unreadableError(url, `it is longer than ${maxBodyBytes} bytes; request fewer traces or a shorter time`)
    }
    parts.push(decoder.decode(value, { stream: true }))
  }
}

/** Node reports "fetch failed", and the reason as the error's cause. */
function fetchCauseOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message || String(error.cause) : error.message
}

/** The message of `{"error":{"message"}}`, or the beginning of the body. */
function reasonOf(body: string): string {
  try {
    const { error, message } = JSON.parse(body) as { error?: { message?: unknown } | string; message?: unknown }
    const reason = typeof error === 'object' ? error.message : (message ?? error)
    if (typeof reason === 'string') return reason
  } catch {
    // Not JSON: quote the body.
  }
  return body.slice(0, 200).trim() || 'no reason in the response'
}
