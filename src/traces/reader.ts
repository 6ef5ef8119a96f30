import { fetchJson, unreadableError } from './fetch-json.ts'
import { type FindResult, findTraces, type Page, type Query } from './find-traces.ts'
import { type ReadResult, readSpans, ShapeError, toList, toRecord } from './otlp-json.ts'
import { type Trace, tracesOf } from './trace.ts'

export type { FindResult, Query } from './find-traces.ts'

export interface ReaderOptions {
  readonly fetch?: typeof fetch
  /** Most traces of one request. Jaeger refuses more than its `max_traces`, 500 in a small installation. */
  readonly countLimit?: number
  /** Timeout of each request, in milliseconds. */
  readonly timeoutMs?: number
}

const defaults = { countLimit: 500, timeoutMs: 10_000 }

/**
 * Reads traces from a server with Jaeger's `/api/v3`: Jaeger 2.13 and newer, and the pocket store. Runs in Node and in
 * a browser. Sends each parameter in the spellings of all versions.
 *
 * Each method throws MESH_TRACES_UNREACHABLE, MESH_TRACES_REFUSED or MESH_TRACES_UNREADABLE.
 */
export class TraceReader {
  readonly #base: string
  readonly #fetch: typeof fetch
  readonly #countLimit: number
  readonly #timeoutMs: number

  /** `url`: without `/api/v3`; empty in a browser for the page's own origin. */
  constructor(url: string, options: ReaderOptions = {}) {
    this.#base = `${url.replace(/\/+$/, '')}/api/v3`
    // A browser's `fetch` must not be called as a method.
    this.#fetch = options.fetch ?? ((...args) => fetch(...args))
    this.#countLimit = options.countLimit ?? defaults.countLimit
    this.#timeoutMs = options.timeoutMs ?? defaults.timeoutMs
  }

  /** In alphabetical order. */
  services(): Promise<string[]> {
    return this.#query('/services', (answer) => {
      const services = toList(toRecord(answer ?? {}, 'the answer')['services'], 'services')
      return services.filter((name) => typeof name === 'string').sort()
    })
  }

  /** Names of spans, each once, in alphabetical order. */
  operations(service: string): Promise<string[]> {
    const query = new URLSearchParams({ service })
    return this.#query(`/operations?${query}`, (answer) => {
      const operations = toList(toRecord(answer ?? {}, 'the answer')['operations'], 'operations')
      const names = operations.map((entry) => toRecord(entry, 'operations[]')['name'])
      return [...new Set(names.filter((name) => typeof name === 'string'))].sort()
    })
  }

  /** Without unreadable spans; undefined if there is no such trace. */
  async trace(id: string): Promise<Trace | undefined> {
    const path = `/traces/${encodeURIComponent(id)}`
    const { spans, unreadable } = await this.#query(path, readAnswer)
    const [reason] = unreadable
    if (spans.length === 0 && reason !== undefined) throw unreadableError(`${this.#base}${path}`, reason)
    const [trace] = tracesOf(spans)
    return trace === undefined || reason === undefined ? trace : { ...trace, unreadable: unreadable.length }
  }

  /** Throws RangeError for an invalid time range, or a limit below one. */
  find(query: Query): Promise<FindResult> {
    return findTraces(query, this.#countLimit, (span, count) => this.#page(query, span, count))
  }

  async #page(query: Query, range: { fromMs: number; toMs: number }, count: number): Promise<Page> {
    const parameters = searchParameters({ ...query, ...range }, count)
    const { spans, unreadable } = await this.#query(`/traces?${parameters}`, readAnswer)
    return { traces: tracesOf(spans), unreadable }
  }

  async #query<T>(path: string, read: (answer: unknown) => T): Promise<T> {
    const url = `${this.#base}${path}`
    const search = path.startsWith('/traces')
    const answer = await fetchJson(url, { fetch: this.#fetch, timeoutMs: this.#timeoutMs, isSearch: search })
    try {
      return read(answer)
    } catch (error) {
      if (error instanceof ShapeError) throw unreadableError(url, error.message, error)
      throw error
    }
  }
}

function readAnswer(answer: unknown): ReadResult {
  return answer === undefined ? { spans: [], unreadable: [] } : readSpans(answer)
}

/** Jaeger 2.13 reads snake case only, newer versions prefer camel case; the count has had three names. */
function searchParameters(query: Query, count: number): URLSearchParams {
  const parameters = new URLSearchParams()
  const set = (value: string, ...names: readonly string[]) => {
    for (const name of names) parameters.set(`query.${name}`, value)
  }
  set(query.service, 'serviceName', 'service_name')
  if (query.span !== undefined) set(query.span, 'operationName', 'operation_name')
  set(timestamp(Math.floor(query.fromMs)), 'startTimeMin', 'start_time_min')
  set(timestamp(Math.ceil(query.toMs)), 'startTimeMax', 'start_time_max')
  set(String(count), 'searchDepth', 'search_depth', 'num_traces')
  const attributes = Object.entries(query.attributes ?? {})
  if (attributes.length > 0) {
    set(JSON.stringify(Object.fromEntries(attributes.map(([key, value]) => [key, String(value)]))), 'attributes')
  }
  return parameters
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString()
}
