import type { FastifyInstance } from 'fastify'
import type { Tracemesh } from '../kit/index.ts'
import { pageRoutes } from '../page/serve.ts'
import { traceRoutes } from '../page/trace-routes.ts'
import type { NodeConfig } from './config.ts'
import { observerView } from './observer-view.ts'

/** The page of an observer: it looks, and controls nothing. */
export async function observerRoutes(
  app: FastifyInstance,
  config: NodeConfig,
  mesh: Tracemesh,
  onError: (error: unknown) => void,
): Promise<void> {
  // A node without its page is still a node: what asks for its topology is answered.
  await pageRoutes(app).catch(onError)
  if (config.query !== 'off') traceRoutes(app, config.query)
  app.get('/api/mesh', (_request, reply) => {
    reply.send(observerView(config, { topology: mesh.topology(), messages: mesh.messages(), atMs: Date.now() }))
  })
}
