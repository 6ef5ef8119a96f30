import { MeshError } from '../core/errors.ts'

export interface AskOptions {
  /** Whether 404 stands for "nothing found", as it does of traces; of anything else it says that nobody knows the path. */
  readonly search: boolean
  readonly fetch: typeof fetch
  /** For the whole answer, in milliseconds. */
  readonly timeoutMs: number
}

/** Bytes of one answer: about 100,000 spans as Jaeger writes them. */
const answerBytes = 64 * 1024 * 1024

/**
 * The JSON that a trace store answers; undefined where it answers a search with 404 and with JSON.
 *
 * @throws MESH_TRACES_UNREACHABLE when there is no answer in time, MESH_TRACES_REFUSED for a status that is an error,
 * MESH_TRACES_UNREADABLE for what is no JSON.
 */
export async function ask(url: string, { fetch, timeoutMs, search }: AskOptions): Promise<unknown> {
  const { status, type, body } = await answer(url, fetch, timeoutMs)
  if (search && status === 404 && isJson(body)) return undefined
  if (status < 200 || status > 299) throw new MeshError('MESH_TRACES_REFUSED', { url, status, reason: reasonOf(body) })
  // Jaeger sends the page of its user interface, with 200, for a path that it does not know.
  if (type.includes('html')) throw unreadable(url, 'it is a web page: no trace store has its API there')
  try {
    return JSON.parse(body)
  } catch (error) {
    throw unreadable(url, `it is no JSON (${error instanceof Error ? error.message : error})`, error)
  }
}

/** What is in front of a store, or something else altogether, answers 404 with a page. */
export function isJson(body: string): boolean {
  try {
    JSON.parse(body)
    return true
  } catch {
    return false
  }
}

export function unreadable(url: string, reason: string, cause?: unknown): MeshError<'MESH_TRACES_UNREADABLE'> {
  return new MeshError('MESH_TRACES_UNREADABLE', { url, reason }, { cause })
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

async function answer(url: string, fetch: AskOptions['fetch'], timeoutMs: number): Promise<Answer> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(url, { signal, headers: { accept: 'application/json' } })
    const type = response.headers.get('content-type') ?? ''
    return { status: response.status, type, body: await bounded(response, url) }
  } catch (error) {
    if (error instanceof MeshError) throw error
    const cause = signal.aborted ? `no answer within ${timeoutMs} ms` : causeOf(error)
    throw new MeshError('MESH_TRACES_UNREACHABLE', { url, cause }, { cause: error })
  }
}

async function bounded(response: Response, url: string): Promise<string> {
  if (response.body === null) return ''
  const decoder = new TextDecoder()
  const reader = response.body.getReader()
  const parts: string[] = []
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return parts.join('') + decoder.decode()
    bytes += value.byteLength
    if (bytes > answerBytes) {
      await reader.cancel()
      throw unreadable(url, `it is longer than ${answerBytes} bytes; ask for fewer traces or a shorter time`)
    }
    parts.push(decoder.decode(value, { stream: true }))
  }
}

/** Node says only "fetch failed", and why in the error's cause. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message || String(error.cause) : error.message
}

/** `{"error":{"message"}}` as the API says it, or the beginning of whatever came. */
function reasonOf(body: string): string {
  try {
    const { error, message } = JSON.parse(body) as { error?: { message?: unknown } | string; message?: unknown }
    const said = typeof error === 'object' ? error.message : (message ?? error)
    if (typeof said === 'string') return said
  } catch {
    // Not JSON: quoted as it is.
  }
  return body.slice(0, 200).trim() || 'it says nothing more'
}
