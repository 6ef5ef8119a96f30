import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { namesThisMachine } from '../admin/guard.ts'
import { answerOf } from './answer.ts'
import { Gate } from './gate.ts'
import { search } from './search.ts'
import { firstOf, ParameterError, type Parameters, searchOf } from './search-query.ts'
import type { SpanStore } from './span-store.ts'

export interface QueryAppOptions {
  readonly store: SpanStore
  /** Told of what breaks inside. */
  readonly failed: (error: unknown) => void
  /** From a question to the last byte of its answer, in milliseconds; 60,000 unless given. Guess. */
  readonly answerMs?: number
}

/** Searches at once, each of which may hold some chunks in memory; and what waits. */
const bounds = { searches: 4, waiting: 256, answerMs: 60_000, retryAfterS: 1 }

/** The HTTP API of the store: Jaeger's `/api/v3`, in its shapes, and what the store says of itself. */
export async function queryApp({ store, failed, ...options }: QueryAppOptions): Promise<FastifyInstance> {
  const { default: fastify } = await import('fastify')
  const app = fastify({ bodyLimit: 1_024 })
  const gate = new Gate(bounds.searches, bounds.waiting)
  app.addHook('onRequest', async (request, reply) => {
    // A page elsewhere that has its own name point here must not read traces.
    if (!namesThisMachine(request.headers.host)) return refuse(reply, 403, 'ask by a loopback host name')
  })

  app.get('/healthz', () => ({ status: 'alive' }))
  app.get('/api/stats', () => ({ ...store.stats(), names: store.tallies.names(), senders: store.tallies.senders() }))
  app.get('/api/v3/services', () => {
    const services = store.tallies.services()
    // Jaeger leaves out this list when it is empty, and not the next.
    return services.length === 0 ? {} : { services }
  })
  app.get<{ Querystring: Parameters }>('/api/v3/operations', ({ query }) => {
    const kind = firstOf(query['span_kind']) ?? firstOf(query['spanKind']) ?? ''
    const found = store.tallies.operations(firstOf(query['service']) ?? '', kind)
    const operations = found.map(({ name, kind }) => (kind === '' ? { name } : { name, spanKind: kind }))
    return { operations }
  })
  app.get<{ Params: { id: string } }>('/api/v3/traces/:id', (request, reply) =>
    answer(request, reply, async () => [traceIdOf(request.params.id)]),
  )
  app.get<{ Querystring: Parameters }>('/api/v3/traces', (request, reply) => {
    const wanted = searchOf(request.query)
    return answer(request, reply, (signal) => search(store, wanted, signal))
  })

  app.setNotFoundHandler((request, reply) =>
    refuse(reply, 404, `there is no ${request.method} ${request.url.replace(/\?.*/s, '')}`),
  )
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    if (error instanceof ParameterError) return refuse(reply, 400, error.message)
    const code = error.statusCode ?? 500
    if (code >= 500) failed(error)
    return refuse(reply, code, code < 500 ? error.message : 'see the log of the store')
  })

  /** Finds traces and sends them as they are read: no answer is held in memory as a whole. */
  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    find: (signal: AbortSignal) => Promise<string[]>,
  ) {
    const left = new AbortController()
    reply.raw.once('close', () => left.abort())
    // Whoever is gone by now has closed before somebody listened.
    if (request.socket.destroyed) left.abort()
    const signal = AbortSignal.any([left.signal, AbortSignal.timeout(options.answerMs ?? bounds.answerMs)])
    try {
      const leave = await gate.enter(signal)
      if (leave === undefined) return tooMany(reply, 'too many searches at once; try again')
      reply.raw.once('close', leave)
      if (left.signal.aborted) leave()
      const body = await answerOf(store, await find(signal), signal)
      if (body === undefined) return refuse(reply, 404, 'No traces found')
      // By the signal a reader that stalls is cut off, and makes room.
      return reply.type('application/json; charset=utf-8').send(Readable.from(body, { signal }))
    } catch (error) {
      if (!signal.aborted) throw error
      // Unless whoever asked has left: then nobody reads this.
      return tooMany(reply, 'the search took too long; ask for a shorter time')
    }
  }
  await app.ready()
  return app
}

/** Up to 32 hex digits, leading zeros left out, as Jaeger reads it. */
function traceIdOf(text: string): string {
  if (!/^[0-9a-fA-F]{1,32}$/.test(text)) throw new ParameterError('malformed parameter trace_id: up to 32 hex digits')
  return text.toLowerCase().padStart(32, '0')
}

function tooMany(reply: FastifyReply, message: string): FastifyReply {
  return refuse(reply.header('retry-after', bounds.retryAfterS), 503, message)
}

/** In the shape of Jaeger's errors. */
function refuse(reply: FastifyReply, code: number, message: string): FastifyReply {
  return reply.code(code).send({ error: { httpCode: code, message } })
}
