import { isMeshError } from '../core/errors.ts'
import { fetchJson, unreadableError } from './fetch-json.ts'
import { type FindResult, findTraces, newestFirst, type Page, type Query } from './find-traces.ts'
import { otlpOfJaeger } from './jaeger-json.ts'
import { type ReadResult, readSpans, ShapeError, toList, toRecord } from './otlp-json.ts'
import { tagParameters, tagSets } from './tag-search.ts'
import { type Trace, type TraceSpan, tracesOf } from './trace.ts'

export type { FindResult, Query } from './find-traces.ts'

export interface ReaderOptions {
  readonly fetch?: typeof fetch
  /** Most traces of one request. Jaeger refuses more than its `max_traces`, 500 in a small installation. */
  readonly countLimit?: number
  /** Timeout of each request, in milliseconds. */
  readonly timeoutMs?: number
  /** Time after which a search begins no further request, in milliseconds. */
  readonly searchMs?: number
}

const defaults = { countLimit: 500, timeoutMs: 10_000, searchMs: 30_000 }

/**
 * Reads traces from a server with Jaeger's `/api/v3`: Jaeger 2.13 and newer, and the pocket store. Runs in Node and in
 * a browser. Sends each parameter in the spellings of all versions. Attributes that `/api/v3` of Jaeger 2.13 ignores go
 * to `/api/traces`, where the server has that.
 *
 * Each method throws MESH_TRACES_UNREACHABLE, MESH_TRACES_REFUSED or MESH_TRACES_UNREADABLE.
 */
export class TraceReader {
  readonly #base: string
  readonly #fetch: typeof fetch
  readonly #countLimit: number
  readonly #timeoutMs: number
  readonly #searchMs: number
  /** Whether the server may have `/api/traces`: so until it says otherwise. */
  #hasTagSearch = true
  /** Whether that finds kind, status and scope; not so with Jaeger's memory. */
  #hasFieldTags: boolean | undefined

  /** `url`: without `/api/v3`; empty in a browser for the page's own origin. */
  constructor(url: string, options: ReaderOptions = {}) {
    this.#base = `${url.replace(/\/+$/, '')}/api`
    // A browser's `fetch` must not be called as a method.
    this.#fetch = options.fetch ?? ((...args) => fetch(...args))
    this.#countLimit = options.countLimit ?? defaults.countLimit
    this.#timeoutMs = options.timeoutMs ?? defaults.timeoutMs
    this.#searchMs = options.searchMs ?? defaults.searchMs
  }

  /** In alphabetical order. */
  services(): Promise<string[]> {
    return this.#query('/v3/services', (answer) => {
      const services = toList(toRecord(answer ?? {}, 'the answer')['services'], 'services')
      return services.filter((name) => typeof name === 'string').sort()
    })
  }

  /** Names of spans, each once, in alphabetical order. */
  operations(service: string): Promise<string[]> {
    const query = new URLSearchParams({ service })
    return this.#query(`/v3/operations?${query}`, (answer) => {
      const operations = toList(toRecord(answer ?? {}, 'the answer')['operations'], 'operations')
      const names = operations.map((entry) => toRecord(entry, 'operations[]')['name'])
      return [...new Set(names.filter((name) => typeof name === 'string'))].sort()
    })
  }

  /** Without unreadable spans; undefined if there is no such trace. */
  async trace(id: string): Promise<Trace | undefined> {
    const path = `/v3/traces/${encodeURIComponent(id)}`
    const { spans, unreadable } = await this.#query(path, readAnswer)
    const [reason] = unreadable
    if (spans.length === 0 && reason !== undefined) throw unreadableError(`${this.#base}${path}`, reason)
    const [trace] = tracesOf(spans)
    return trace === undefined || reason === undefined ? trace : { ...trace, unreadable: unreadable.length }
  }

  /** Throws RangeError for an invalid time range, or a limit below one. */
  find(query: Query): Promise<FindResult> {
    const limits = { count: this.#countLimit, ms: this.#searchMs }
    return findTraces(query, limits, (range, count) => this.#page({ ...query, ...range }, count))
  }

  async #page(query: Query, count: number): Promise<Page> {
    return (await this.#tagPage(query, count)) ?? (await this.#plainPage(query, count))
  }

  async #plainPage(query: Query, count: number): Promise<Page> {
    return pageOf([await this.#query(`/v3/traces?${searchParameters(query, count)}`, readAnswer)], count)
  }

  /** Undefined if the store cannot search by these attributes, or there are none. */
  async #tagPage(query: Query, count: number): Promise<Page | undefined> {
    if (!this.#hasTagSearch) return undefined
    const sets = tagSets(query.attributes)
    const plain = tagSets(query.attributes, false)
    if (JSON.stringify(sets) === JSON.stringify(plain) || !(await this.#hasFields(query)))
      return this.#tagged(query, plain, count)
    return this.#tagged(query, sets, count)
  }

  async #tagged(query: Query, sets: ReturnType<typeof tagSets>, count: number): Promise<Page | undefined> {
    if (sets.length === 0) return undefined
    const results = await Promise.allSettled(
      sets.map((tags) => this.#query(`/traces?${tagParameters(query, tags, count)}`, readTagged)),
    )
    const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    const failure = answers.length === 0 ? failures[0] : failures.find((error) => !isMalformed(error))
    if (failure !== undefined) throw failure
    if (answers.includes('absent')) this.#hasTagSearch = false
    const pages = answers.filter((answer) => typeof answer === 'object')
    return pages.length > 0 ? pageOf(pages, count) : undefined
  }

  /** Whether the storage has the fields of spans among their tags, as any span of the service shows. */
  async #hasFields({ service, fromMs, toMs }: Query): Promise<boolean> {
    if (this.#hasFieldTags !== undefined) return this.#hasFieldTags
    let sample: TraceSpan | undefined
    for (const range of newestFirst({ fromMs, toMs }).toReversed()) {
      const { traces } = await this.#plainPage({ service, ...range }, 1)
      sample ??= traces[0]?.spans.find((span) => span.service === service && span.kind !== '')
      if (sample !== undefined) break
    }
    if (sample === undefined) return false
    const { name: span, kind, startMs } = sample
    const around = { service, span, fromMs: startMs - 1, toMs: startMs + 1 }
    const page = await this.#tagged(around, tagSets({ 'span.kind': kind }), 1)
    if (page === undefined) return false
    this.#hasFieldTags = page.traces.length > 0
    return this.#hasFieldTags
  }

  async #query<T>(path: string, read: (answer: unknown) => T): Promise<T> {
    const url = `${this.#base}${path}`
    const answer = await fetchJson(url, {
      fetch: this.#fetch,
      timeoutMs: this.#timeoutMs,
      isSearch: path.startsWith('/v3/traces'),
      isOptional: path.startsWith('/traces'),
    })
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

/** The results of one question. */
function pageOf(results: readonly ReadResult[], count: number): Page {
  return {
    traces: tracesOf(results.flatMap(({ spans }) => spans)),
    unreadable: results.flatMap(({ unreadable }) => unreadable),
    // An unreadable span may have been a trace of its own.
    isFull: results.some(
      ({ spans, unreadable }) => new Set(spans.map(({ traceId }) => traceId)).size + unreadable.length >= count,
    ),
  }
}

/** `absent` if the server lacks the API; undefined for JSON of another kind. */
function readTagged(answer: unknown): ReadResult | 'absent' | undefined {
  if (answer === undefined) return 'absent'
  const converted = otlpOfJaeger(answer)
  return converted === undefined ? undefined : readSpans(converted)
}

/** Whether a store refused a value as a malformed pattern; another spelling of it may have an answer. */
function isMalformed(error: unknown): boolean {
  return isMeshError(error, 'MESH_TRACES_REFUSED') && [400, 500].includes(error.detail.status)
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
