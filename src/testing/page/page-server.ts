import type { AddressInfo } from 'node:net'
import { SpanStatusCode } from '@opentelemetry/api'
import fastify from 'fastify'
import { type Diagnose, doctorRoute } from '../../page/doctor-route.ts'
import { meshRoute } from '../../page/mesh-route.ts'
import type { MeshView } from '../../page/mesh-view.ts'
import { pageRoutes } from '../../page/serve.ts'
import type { TraceSpan } from '../../traces/trace.ts'

/** A server of the page with answers from a test, which records its requests. */
export interface PageServer extends AsyncDisposable {
  readonly url: string
  /** Answer of `/api/mesh`; undefined: 503. */
  view: MeshView | undefined
  /** Whether its store gives no answer. */
  isStoreDown: boolean
  /** What its doctor does; nothing ends it by default. */
  diagnose: Diagnose
  /** Requests so far, as `METHOD /path`. */
  readonly requests: string[]
}

/** Starts it on a free loopback port. */
export async function startPageServer(first: MeshView, spans: readonly TraceSpan[] = []): Promise<PageServer> {
  const app = fastify()
  const server = { view: first as MeshView | undefined, isStoreDown: false, diagnose: never, requests: [] as string[] }
  app.addHook('onRequest', async ({ method, url }) => void server.requests.push(`${method} ${url}`))
  app.addHook('preHandler', async ({ url }, reply) => {
    if (server.isStoreDown && /^\/api\/(?:v3|traces)\b/.test(url)) return reply.code(502).send({ message: 'no answer' })
  })
  meshRoute(app, () => server.view ?? unavailable())
  doctorRoute(app, (...args) => server.diagnose(...args))
  app.post('/api/lab/*', () => ({}))
  app.get('/api/v3/services', () => ({ services: [...new Set(spans.map(({ service }) => service))] }))
  app.get<{ Querystring: { service: string } }>('/api/v3/operations', ({ query }) => ({
    operations: spans.filter(({ service }) => service === query.service).map(({ name }) => ({ name })),
  }))
  // As in front of a store without a search by tags.
  app.get('/api/traces', (_, reply) => reply.code(204).send())
  app.get<{ Params: { id: string } }>('/api/v3/traces/:id', ({ params }) =>
    answerOf(spans.filter(({ traceId }) => traceId === params.id)),
  )
  app.get<{ Querystring: Record<string, string> }>('/api/v3/traces', ({ query }) => {
    const matches = spans.filter(
      ({ service, name }) =>
        service === query['query.service_name'] && name === (query['query.operation_name'] ?? name),
    )
    const ids = new Set(matches.map(({ traceId }) => traceId))
    return answerOf(spans.filter(({ traceId }) => ids.has(traceId)))
  })
  await pageRoutes(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const close = async () => {
    app.server.closeAllConnections()
    await app.close()
  }
  return Object.assign(server, { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: close })
}

const never: Diagnose = (_, signal) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

function unavailable(): never {
  throw Object.assign(new Error('not now'), { statusCode: 503 })
}

function answerOf(spans: readonly TraceSpan[]): object {
  return { result: { resourceSpans: spans.map(resourceSpan) } }
}

function resourceSpan({
  resource,
  startMs,
  durationMs,
  attributes,
  status,
  kind: _,
  service: __,
  scope,
  ...span
}: TraceSpan): object {
  const nano = (ms: number) => String(BigInt(Math.floor(ms)) * 1_000_000n + BigInt(Math.round((ms % 1) * 1e6)))
  const code = status === 'error' ? SpanStatusCode.ERROR : SpanStatusCode.UNSET
  const own = { startTimeUnixNano: nano(startMs), endTimeUnixNano: nano(startMs + durationMs), status: { code } }
  const spans = [{ ...span, ...own, attributes: pairs(attributes) }]
  return { resource: { attributes: pairs(resource) }, scopeSpans: [{ scope, spans }] }
}

function pairs(values: TraceSpan['attributes']): object[] {
  return Object.entries(values).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: String(value) },
  }))
}
