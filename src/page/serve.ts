import type { FastifyInstance } from 'fastify'
import { pageAssets } from './assets.ts'
import { renderSpanDocs } from './span-docs.ts'

/** No other origins, nothing inline: names and messages of peers stay text. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const headers = {
  'content-security-policy': policy,
  'cache-control': 'no-cache',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

/**
 * Registers the page: `/`, `/app.js`, `/app.css`, `/icon.svg`, and `/spans`, which documents the spans. They contain no
 * data of a mesh, so a server with a token may leave them open (`config.open`); the page asks the user for the token.
 *
 * @throws MESH_PAGE_MISSING if the page is not published with this program and a clone cannot build it.
 */
export async function pageRoutes(app: FastifyInstance): Promise<void> {
  app.get('/spans', { config: { open: true } }, (_request, reply) =>
    reply.headers({ ...headers, 'content-type': 'text/html; charset=utf-8' }).send(renderSpanDocs()),
  )
  for (const { path, type, etag, plain, gzipped } of await pageAssets()) {
    app.get(path, { config: { open: true } }, (request, reply) => {
      reply.headers({ ...headers, 'content-type': type, vary: 'accept-encoding', etag })
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(plain)
      return reply.header('content-encoding', 'gzip').send(gzipped)
    })
  }
}
