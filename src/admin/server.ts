import type { FastifyInstance } from 'fastify'
import * as z from 'zod'
import { topic } from '../kit/rules.ts'
import { type GuardOptions, guardedApp } from './guarded-app.ts'
import { type Listener, listenHttp } from './listener.ts'

/** The data of the HTTP API: each call returns the current state as plain JSON values. */
export interface AdminSource {
  health(): object
  /** `why` explains the answer in words. */
  ready(): { readonly ready: boolean; readonly why: string }
  inventory(): unknown
  topology(): unknown
  seeds(): unknown
  messages(): unknown
  /** Publishes a text on a topic; `raw`: without a header. Rejects with MESH_MESSAGE_TOO_LARGE. */
  publish(topic: string, text: string, options: { readonly raw: boolean }): Promise<object>
}

export interface AdminAppOptions extends GuardOptions {
  readonly source: AdminSource
  /** Registers additional routes, at the first request. */
  readonly extend?: (app: FastifyInstance) => Promise<void>
}

/** Serves the HTTP API at `listen`: `host:port`; port 0 picks a free one. Throws like `listenHttp`. */
export function startAdmin({ listen, ...options }: AdminAppOptions & { readonly listen: string }): Promise<Listener> {
  const { token, onError } = options
  return listenHttp({ key: 'MESH_ADMIN (--admin)', listen, token, onError, app: () => adminApp(options) })
}

const { expected, schema } = topic()

/** Body of a publish request. The node checks the length of the text. */
const publishRequest = z.strictObject({
  topic: z.string(`expected ${expected}`).refine((text) => schema.safeParse(text).success, `expected ${expected}`),
  text: z.string('expected a text').min(1, 'expected a text that is not empty'),
  /** Publishes the text without the header of the mesh. */
  raw: z.boolean('expected true or false').default(false),
})

/** The HTTP API of a node. */
export function adminApp({ token, source, onError, extend }: AdminAppOptions): Promise<FastifyInstance> {
  return guardedApp({ token, onError }, async (app) => {
    app.get('/healthz', () => (token === undefined ? source.health() : { status: 'alive' }))
    app.get('/readyz', (_request, reply) => {
      const answer = source.ready()
      return reply.code(answer.ready ? 200 : 503).send(answer)
    })
    app.get('/api/inventory', (_request, reply) => reply.send(source.inventory()))
    app.get('/api/topology', (_request, reply) => reply.send(source.topology()))
    app.get('/api/seeds', (_request, reply) => reply.send(source.seeds()))
    app.get('/api/messages', (_request, reply) => reply.send(source.messages()))
    app.post('/api/messages', async (request) => {
      const { topic, text, raw } = publishRequest.parse(request.body)
      return source.publish(topic, text, { raw })
    })

    await extend?.(app)
  })
}
