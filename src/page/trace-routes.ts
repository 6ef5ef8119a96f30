import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { isJson } from '../traces/fetch-json.ts'

/** A search over a long time may take a while; a browser gives up no earlier. Guess. */
const timeoutMs = 30_000

/**
 * Registers `/api/v3/*`: what the store or Jaeger at `queryUrl` answers, handed on. That no trace was found is an empty
 * answer here, not 404: a browser would report every search that finds nothing as an error.
 */
export function traceRoutes(app: FastifyInstance, queryUrl: string): void {
  // As URLs are written when they are compared: `http://jaeger:80` is `http://jaeger/`.
  const base = new URL(`${queryUrl.replace(/\/+$/, '')}/api/v3/`).href
  app.get('/api/v3/*', async (request, reply) => {
    const target = URL.parse(request.url.slice('/api/v3/'.length), base)
    // Dots in a path lead out of it.
    if (target === null || !target.href.startsWith(base)) {
      return reply.code(400).send({ error: 'bad request', message: 'this path leads out of /api/v3' })
    }
    // Whoever has left waits for nothing: the store is to search for others.
    const abort = new AbortController()
    reply.raw.once('close', () => abort.abort())
    const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(timeoutMs)])
    let response: Response
    try {
      response = await fetch(target, { signal, redirect: 'error' })
    } catch (error) {
      const message = `no answer from ${queryUrl}: ${causeMessage(error)}`
      return reply.code(502).send({ error: 'trace store unreachable', message })
    }
    return forward(response, reply, isSearch(target.href.slice(base.length)))
  })
}

/** Only of traces is 404 said when there are none; of anything else it means that there is no such path. */
function isSearch(path: string): boolean {
  return /^traces(?:\/[^/?]+)?(?:\?|$)/.test(path)
}

async function forward(response: Response, reply: FastifyReply, search: boolean): Promise<FastifyReply> {
  const type = response.headers.get('content-type') ?? 'application/octet-stream'
  if (search && response.status === 404) {
    // Jaeger calls its JSON plain text here; a page that is not found is no JSON, whatever it is called.
    const body = await response.text()
    if (isJson(body)) return reply.send({ result: { resourceSpans: [] } })
    return reply.code(404).type('text/plain').send(body)
  }
  // What is no JSON is not shown as if it were this server's: a page of the store's would run as ours.
  reply.code(response.status).header('content-type', type.startsWith('application/json') ? type : 'text/plain')
  return reply.send(response.body === null ? '' : Readable.fromWeb(response.body as ReadableStream))
}

function causeMessage(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error ? cause.message : String(cause)
}
