import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { namesThisMachine } from '../admin/guarded-app.ts'
import { type Listener, listenHttp } from '../admin/listener.ts'
import { firstOf, ParameterError, type Parameters, parseSearch, search, spansOfTrace } from './search.ts'
import type { Origin, SpanRecord } from './span-record.ts'
import type { SpanStore } from './span-store.ts'

export interface QueryServerOptions {
  /** `host:port`; port 0 picks a free one. */
  readonly listen: string
  readonly store: SpanStore
  /** Called with internal errors. */
  readonly onError: (error: unknown) => void
  /** Timeout from the request to the last byte of its response, in milliseconds; default 60,000. Guess. */
  readonly answerMs?: number
}

/** Concurrent searches, each with some chunks in memory; queued ones; and a thousand clients, and some to spare. */
const bounds = { searches: 4, waiting: 256, connections: 1_200, answerMs: 60_000, retryAfterS: 1 }

/**
 * Serves the HTTP API of the store: Jaeger's `/api/v3` in its format, `/api/stats` and `/healthz`. Throws like
 * `listenHttp`.
 */
export function startQueryServer(options: QueryServerOptions): Promise<Listener> {
  const { listen, onError } = options
  const { connections } = bounds
  // `answerMs` limits a response, however slowly the client reads.
  return listenHttp({ key: '--http', listen, onError, connections, socketTimeoutMs: 0, app: () => queryApp(options) })
}

async function queryApp({ store, onError, ...options }: QueryServerOptions): Promise<FastifyInstance> {
  const { default: fastify } = await import('fastify')
  const app = fastify({ bodyLimit: 1_024 })
  const limiter = new ConcurrencyLimiter(bounds.searches, bounds.waiting)
  app.addHook('onRequest', async (request, reply) => {
    // Against DNS rebinding: a foreign page whose host name resolves to this machine must not read traces.
    if (!namesThisMachine(request.headers.host)) return sendError(reply, 403, 'ask by a loopback host name')
  })

  app.get('/healthz', () => ({ status: 'alive' }))
  app.get('/api/stats', () => ({ ...store.stats(), names: store.tallies.names(), senders: store.tallies.senders() }))
  app.get('/api/v3/services', () => {
    const services = store.tallies.services()
    // Jaeger omits this list if it is empty, but not the list of operations.
    return services.length === 0 ? {} : { services }
  })
  app.get<{ Querystring: Parameters }>('/api/v3/operations', ({ query }) => {
    const kind = firstOf(query['span_kind']) ?? firstOf(query['spanKind']) ?? ''
    const operationRows = store.tallies.operations(firstOf(query['service']) ?? '', kind)
    const operations = operationRows.map(({ name, kind }) => (kind === '' ? { name } : { name, spanKind: kind }))
    return { operations }
  })
  app.get<{ Params: { id: string } }>('/api/v3/traces/:id', (request, reply) =>
    sendTraces(request, reply, async () => [parseTraceId(request.params.id)]),
  )
  app.get<{ Querystring: Parameters }>('/api/v3/traces', (request, reply) => {
    const criteria = parseSearch(request.query)
    return sendTraces(request, reply, (signal) => search(store, criteria, signal))
  })

  app.setNotFoundHandler((request, reply) =>
    sendError(reply, 404, `no route ${request.method} ${request.url.replace(/\?.*/s, '')}`),
  )
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    if (error instanceof ParameterError) return sendError(reply, 400, error.message)
    const code = error.statusCode ?? 500
    if (code >= 500) onError(error)
    return sendError(reply, code, code < 500 ? error.message : 'see the log of the store')
  })

  /** Finds traces and streams them, so that no complete response is in memory. */
  async function sendTraces(
    request: FastifyRequest,
    reply: FastifyReply,
    find: (signal: AbortSignal) => Promise<string[]>,
  ) {
    const disconnected = new AbortController()
    reply.raw.once('close', () => disconnected.abort())
    // The connection may have closed before the listener was added.
    if (request.socket.destroyed) disconnected.abort()
    const signal = AbortSignal.any([disconnected.signal, AbortSignal.timeout(options.answerMs ?? bounds.answerMs)])
    try {
      const release = await limiter.acquire(signal)
      if (release === undefined) return sendBusy(reply, 'too many searches at once; try again')
      reply.raw.once('close', release)
      if (disconnected.signal.aborted) release()
      const body = await streamTraces(store, await find(signal), signal)
      if (body === undefined) return sendError(reply, 404, 'No traces found')
      // The signal disconnects a client that stops reading, which frees its slot.
      return reply.type('application/json; charset=utf-8').send(Readable.from(body, { signal }))
    } catch (error) {
      if (!signal.aborted) throw error
      // If the client disconnected, this response goes nowhere.
      return sendBusy(reply, 'search timed out; use a shorter time range')
    }
  }
  await app.ready()
  return app
}

/** Up to 32 hex digits, leading zeros left out, as Jaeger reads it. */
function parseTraceId(text: string): string {
  if (!/^[0-9a-fA-F]{1,32}$/.test(text)) throw new ParameterError('malformed parameter trace_id: up to 32 hex digits')
  return text.toLowerCase().padStart(32, '0')
}

function sendBusy(reply: FastifyReply, message: string): FastifyReply {
  return sendError(reply.header('retry-after', bounds.retryAfterS), 503, message)
}

/** In the shape of Jaeger's errors. */
function sendError(reply: FastifyReply, code: number, message: string): FastifyReply {
  return reply.code(code).send({ error: { httpCode: code, message } })
}

/**
 * Streams complete traces as pieces of JSON: `{"result":{"resourceSpans":[…]}}`. Undefined if there is no span at all.
 */
async function streamTraces(
  store: SpanStore,
  traceIds: readonly string[],
  signal: AbortSignal,
): Promise<AsyncIterable<string> | undefined> {
  const entries = readEntries(store, traceIds, signal)
  const first = await entries.next()
  return first.done ? undefined : wrapEntries(first.value, entries)
}

async function* wrapEntries(first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield `{"result":{"resourceSpans":[${first}`
  for await (const entry of rest) yield `,${entry}`
  yield ']}}'
}

async function* readEntries(
  store: SpanStore,
  traceIds: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<string, undefined> {
  for (const traceId of traceIds) {
    for await (const records of spansOfTrace(store, traceId, signal)) {
      for (const [origin, group] of Map.groupBy(records, (record) => record.origin)) yield formatEntry(origin, group)
    }
  }
}

function formatEntry({ resource, resourceSchema, scope, scopeSchema }: Origin, records: readonly SpanRecord[]): string {
  const spans = records.map(({ text }) => text).join()
  const scopeSpans = `{"scope":${JSON.stringify(scope)},"spans":[${spans}]${schemaField(scopeSchema)}}`
  return `{"resource":${JSON.stringify(resource)},"scopeSpans":[${scopeSpans}]${schemaField(resourceSchema)}}`
}

function schemaField(url: string): string {
  return url === '' ? '' : `,"schemaUrl":${JSON.stringify(url)}`
}

/** Runs a bounded number of tasks at once, queues a bounded number, and rejects the rest. */
export class ConcurrencyLimiter {
  readonly #maxActive: number
  readonly #maxWaiting: number
  #active = 0
  #waiting: (() => void)[] = []

  constructor(maxActive: number, maxWaiting: number) {
    this.#maxActive = maxActive
    this.#maxWaiting = maxWaiting
  }

  /**
   * Resolves to the function that releases the slot, or to undefined if the queue is full. Rejects with the reason of
   * `signal`, without taking a slot.
   */
  async acquire(signal: AbortSignal): Promise<(() => void) | undefined> {
    signal.throwIfAborted()
    if (this.#active < this.#maxActive) this.#active++
    else if (this.#waiting.length >= this.#maxWaiting) return undefined
    // A released slot passes to the next in the queue, so `active` stays the same.
    else await this.#waitForSlot(signal)
    let isReleased = false
    return () => {
      if (isReleased) return
      isReleased = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#active--
      else next()
    }
  }

  #waitForSlot(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => {
      this.#waiting = this.#waiting.filter((other) => other !== next)
      reject(signal.reason)
    }
    const next = () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#waiting.push(next)
    return promise
  }
}
