import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { MeshFeed } from './mesh-feed.ts'
import type { MeshView } from './mesh-view.ts'
import { acceptsGzip } from './serve.ts'

interface MeshQuery {
  /** Revision that the page has; empty for none. Without it the answer is the view itself. */
  readonly since?: string | readonly string[]
}

/** Registers `/api/mesh`: the view, and for a page that follows it its changes; compressed if the client accepts that. */
export function meshRoute(app: FastifyInstance, view: () => MeshView): void {
  const feed = new MeshFeed()
  app.get<{ Querystring: MeshQuery }>('/api/mesh', async (request, reply) => {
    const { since } = request.query
    const body = JSON.stringify(since === undefined ? view() : feed.update(view(), String(since)))
    reply.headers({ 'content-type': 'application/json; charset=utf-8', vary: 'accept-encoding' })
    if (!acceptsGzip(request)) return reply.send(body)
    return reply.header('content-encoding', 'gzip').send(await promisify(gzip)(body))
  })
}
