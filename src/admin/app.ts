import type { FastifyInstance } from 'fastify'
import { type GuardOptions, guardedApp } from './guarded-app.ts'
import { publishRequest } from './publish-request.ts'
import type { AdminSource } from './source.ts'

export interface AdminAppOptions extends GuardOptions {
  readonly source: AdminSource
  /** Registers additional routes, at the first request. */
  readonly extend?: (app: FastifyInstance) => Promise<void>
}

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
