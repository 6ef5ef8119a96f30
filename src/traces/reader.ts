import { ask, unreadable as unreadableAnswer } from './ask.ts'
import { find, type Page } from './find.ts'
import { list, type Readings, readSpans, record, ShapeError } from './otlp-json.ts'
import type { Found, Query } from './query.ts'
import { type Trace, tracesOf } from './trace.ts'

export type { Found, Query } from './query.ts'

export interface ReaderOptions {
  readonly fetch?: typeof fetch
  /** Most traces asked for at once. Jaeger refuses more than its `max_traces`, which is 500 where it keeps little. */
  readonly countLimit?: number
  /** For each answer, in milliseconds. */
  readonly timeoutMs?: number
}

const defaults = { countLimit: 500, timeoutMs: 10_000 }

/**
 * Reads traces from anything that has Jaeger's `/api/v3`: Jaeger 2.13 and newer, and the pocket store. Runs in Node and
 * in a browser. Every parameter is sent in every spelling that a version knows.
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
    // Called as a function of nothing: a browser's `fetch` insists on that.
    this.#fetch = options.fetch ?? ((...args) => fetch(...args))
    this.#countLimit = options.countLimit ?? defaults.countLimit
    this.#timeoutMs = options.timeoutMs ?? defaults.timeoutMs
  }

  /** In alphabetical order. */
  services(): Promise<string[]> {
    return this.#ask('/services', (answer) => {
      const services = list(record(answer ?? {}, 'the answer')['services'], 'services')
      return services.filter((name) => typeof name === 'string').sort()
    })
  }

  /** Names of spans, each once, in alphabetical order. */
  operations(service: string): Promise<string[]> {
    const query = new URLSearchParams({ service })
    return this.#ask(`/operations?${query}`, (answer) => {
      const operations = list(record(answer ?? {}, 'the answer')['operations'], 'operations')
      const names = operations.map((entry) => record(entry, 'operations[]')['name'])
      return [...new Set(names.filter((name) => typeof name === 'string'))].sort()
    })
  }

  /** Without the spans that cannot be read; undefined when there is no such trace. */
  async trace(id: string): Promise<Trace | undefined> {
    const path = `/traces/${encodeURIComponent(id)}`
    const { spans, unreadable } = await this.#ask(path, readingsOf)
    const [reason] = unreadable
    if (spans.length === 0 && reason !== undefined) throw unreadableAnswer(`${this.#base}${path}`, reason)
    const [trace] = tracesOf(spans)
    return trace === undefined || reason === undefined ? trace : { ...trace, unreadable: unreadable.length }
  }

  /** Throws RangeError for a time that is none, or a limit below one. */
  find(query: Query): Promise<Found> {
    return find(query, this.#countLimit, (span, count) => this.#page(query, span, count))
  }

  async #page(query: Query, range: { fromMs: number; toMs: number }, count: number): Promise<Page> {
    const parameters = searchParameters({ ...query, ...range }, count)
    const { spans, unreadable } = await this.#ask(`/traces?${parameters}`, readingsOf)
    return { traces: tracesOf(spans), unreadable }
  }

  async #ask<T>(path: string, read: (answer: unknown) => T): Promise<T> {
    const url = `${this.#base}${path}`
    const search = path.startsWith('/traces')
    const answer = await ask(url, { fetch: this.#fetch, timeoutMs: this.#timeoutMs, search })
    try {
      return read(answer)
    } catch (error) {
      if (error instanceof ShapeError) throw unreadableAnswer(url, error.message, error)
      throw error
    }
  }
}

function readingsOf(answer: unknown): Readings {
  return answer === undefined ? { spans: [], unreadable: [] } : readSpans(answer)
}

/** Jaeger 2.13 knows snake case only, newer ones prefer camel case; the count has had three names. */
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
  const wanted = Object.entries(query.attributes ?? {})
  if (wanted.length > 0) {
    set(JSON.stringify(Object.fromEntries(wanted.map(([key, value]) => [key, String(value)]))), 'attributes')
  }
  return parameters
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString()
}
