import type { FastifyInstance } from 'fastify'
import type { TracemeshService } from '../kit/service.ts'
import { pageRoutes } from '../page/serve.ts'
import { traceRoutes } from '../page/trace-routes.ts'
import type { NodeConfig } from './config.ts'
import { observerView } from './observer-view.ts'

/** The read-only page of an observer. */
export async function observerRoutes(
  app: FastifyInstance,
  config: NodeConfig,
  mesh: TracemeshService,
  onError: (error: unknown) => void,
): Promise<void> {
  // Without the page files the node still serves its topology.
  await pageRoutes(app).catch(onError)
  if (config.query !== 'off') traceRoutes(app, config.query)
  app.get('/api/mesh', (_request, reply) => {
    reply.send(observerView(config, { topology: mesh.topology(), messages: mesh.messages(), atMs: Date.now() }))
  })
}
