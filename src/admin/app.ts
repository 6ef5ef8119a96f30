import type { FastifyInstance, FastifyReply } from 'fastify'
import { bears, namesThisMachine } from './guard.ts'
import type { AdminSource } from './source.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without a token: it says nothing of the node or its mesh. */
    readonly open?: true
  }
}

export interface AdminAppOptions {
  /** Without one only requests that name a loopback host are answered. */
  readonly token?: string | undefined
  readonly source: AdminSource
  /** Told of what breaks inside; whoever asked is only told that something did. */
  readonly failed: (error: unknown) => void
  /** Registers further routes, once somebody asks. */
  readonly extend?: (app: FastifyInstance) => Promise<void>
}

/** No request of this API has a body worth the name. Guess. */
const bodyBytes = 65_536

/** The HTTP API of a node, ready to take requests from a server. Fastify is loaded here, so only once it is needed. */
export async function adminApp({ token, source, failed, extend }: AdminAppOptions): Promise<FastifyInstance> {
  // By its default: a bundle has no other name of a CommonJS module that is loaded late.
  const { default: fastify } = await import('fastify')
  const app = fastify({ bodyLimit: bodyBytes })

  const allowed = token === undefined ? undefined : bears(token)
  app.addHook('onRequest', async (request, reply) => {
    if (allowed === undefined && !namesThisMachine(request.headers.host)) {
      return refuse(reply, 403, 'forbidden', 'ask by a loopback host name, or set a token')
    }
    // Probes of a supervisor bear no token, call by any name, and learn nothing but whether all is well.
    if (request.routeOptions.url === '/healthz' || request.routeOptions.url === '/readyz') return
    if (request.routeOptions.config.open === true) return
    if (allowed?.(request.headers.authorization) === false) {
      return refuse(
        reply.header('www-authenticate', 'Bearer'),
        401,
        'unauthorized',
        'send the token: Authorization: Bearer …',
      )
    }
  })

  app.get('/healthz', () => (token === undefined ? source.health() : { status: 'alive' }))
  app.get('/readyz', (_request, reply) => {
    const answer = source.ready()
    return reply.code(answer.ready ? 200 : 503).send(answer)
  })
  app.get('/api/inventory', (_request, reply) => reply.send(source.inventory()))
  app.get('/api/topology', (_request, reply) => reply.send(source.topology()))
  app.get('/api/seeds', (_request, reply) => reply.send(source.seeds()))
  app.get('/api/messages', (_request, reply) => reply.send(source.messages()))

  await extend?.(app)

  app.setNotFoundHandler((request, reply) => {
    const path = request.url.replace(/\?.*/s, '')
    if (!app.hasRoute({ method: 'GET', url: path })) return refuse(reply, 404, 'not found', `there is no ${path}`)
    return refuse(reply.header('allow', 'GET, HEAD'), 405, 'method not allowed', `${path} can only be read`)
  })
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    const code = error.statusCode ?? 500
    if (code >= 500) failed(error)
    // What broke inside is nobody else's business.
    return refuse(
      reply,
      code,
      code < 500 ? 'bad request' : 'internal error',
      code < 500 ? error.message : 'see the log',
    )
  })
  await app.ready()
  return app
}

function refuse(reply: FastifyReply, code: number, error: string, message: string): FastifyReply {
  return reply.code(code).send({ error, message })
}
