import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { isJson, lacksApi } from '../traces/fetch-json.ts'

/** A search over a long range may take a while. Guess. */
const timeoutMs = 30_000

/**
 * Registers `/api/v3/*` as a proxy to the store or Jaeger at `queryUrl`, and Jaeger's search by tags. A search without
 * results returns an empty result instead of 404, and a store without tags returns 204: a browser would log each 404 as
 * an error.
 */
export function traceRoutes(app: FastifyInstance, queryUrl: string): void {
  // Normalized for the comparison below: `http://jaeger:80` is `http://jaeger/`.
  const base = new URL(`${queryUrl.replace(/\/+$/, '')}/api/v3/`).href
  app.get('/api/traces', (request, reply) => {
    const target = new URL('../traces', base)
    target.search = new URL(request.url, base).search
    return proxy(reply, target, forwardTagSearch)
  })
  app.get('/api/v3/*', (request, reply) => {
    const target = URL.parse(request.url.slice('/api/v3/'.length), base)
    // Dot segments could leave the base path.
    if (target === null || !target.href.startsWith(base)) {
      return reply.code(400).send({ error: 'bad request', message: 'the path is outside /api/v3' })
    }
    const search = isSearch(target.href.slice(base.length))
    return proxy(reply, target, (response) => forward(response, reply, search))
  })

  async function proxy(
    reply: FastifyReply,
    target: URL,
    forwardTo: (response: Response, reply: FastifyReply) => Promise<FastifyReply>,
  ): Promise<FastifyReply> {
    // A client that disconnects must not keep the store busy.
    const abort = new AbortController()
    reply.raw.once('close', () => abort.abort())
    const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(timeoutMs)])
    let response: Response
    try {
      response = await fetch(target, { signal, redirect: 'error' })
    } catch (error) {
      const message = `trace store at ${queryUrl} did not respond: ${causeMessage(error)}`
      return reply.code(502).send({ error: 'trace store unreachable', message })
    }
    return forwardTo(response, reply)
  }
}

/** A browser's reader remembers 204, so an error of the store stays an error. */
async function forwardTagSearch(response: Response, reply: FastifyReply): Promise<FastifyReply> {
  const { status } = response
  const contentType = response.headers.get('content-type') ?? ''
  if (status === 200 && !contentType.includes('html')) return forward(response, reply, false)
  const body = await response.text()
  if (lacksApi({ status, contentType, body })) return reply.code(204).send()
  return reply
    .code(status)
    .type(contentType.startsWith('application/json') ? contentType : 'text/plain')
    .send(body)
}

/** Only for searches does 404 mean no results; elsewhere it means an unknown path. */
function isSearch(path: string): boolean {
  return /^traces(?:\/[^/?]+)?(?:\?|$)/.test(path)
}

async function forward(response: Response, reply: FastifyReply, search: boolean): Promise<FastifyReply> {
  const type = response.headers.get('content-type') ?? 'application/octet-stream'
  if (search && response.status === 404) {
    // Jaeger labels this JSON as plain text, so the body decides, not the content type.
    const body = await response.text()
    if (isJson(body)) return reply.send({ result: { resourceSpans: [] } })
    return reply.code(404).type('text/plain').send(body)
  }
  // Anything but JSON becomes plain text: HTML of the store must not run in this origin.
  reply.code(response.status).header('content-type', type.startsWith('application/json') ? type : 'text/plain')
  return reply.send(response.body === null ? '' : Readable.fromWeb(response.body as ReadableStream))
}

function causeMessage(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error ? cause.message : String(cause)
}
