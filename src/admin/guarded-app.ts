import type { FastifyInstance, FastifyReply } from 'fastify'
import * as z from 'zod'
import { isMeshError } from '../core/errors.ts'
import { isCrossSite, namesThisMachine, tokenVerifier } from './guard.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without a token: it says nothing of the node or its mesh. */
    readonly open?: true
  }
}

export interface GuardOptions {
  /** Without one only requests that name a loopback host are answered. */
  readonly token?: string | undefined
  /** Told of what breaks inside; whoever asked is only told that something did. */
  readonly onError: (error: unknown) => void
}

/** A message of the longest kind as JSON, as long as little in it has to be escaped. */
const maxBodyBytes = 65_536

/**
 * What a node answers over HTTP, behind the guard that all of it has, ready to take requests from a server. Fastify is
 * loaded here, so only once it is needed.
 */
export async function guardedApp(
  { token, onError }: GuardOptions,
  routes: (app: FastifyInstance) => void | Promise<void>,
): Promise<FastifyInstance> {
  // By its default: a bundle has no other name of a CommonJS module that is loaded late.
  const { default: fastify } = await import('fastify')
  const app = fastify({ bodyLimit: maxBodyBytes })

  const verifyToken = token === undefined ? undefined : tokenVerifier(token)
  app.addHook('onRequest', async (request, reply) => {
    if (verifyToken === undefined && !namesThisMachine(request.headers.host)) {
      return refuse(reply, 403, 'forbidden', 'ask by a loopback host name, or set a token')
    }
    // A token is nothing that a browser sends by itself; without one it may be sent here by a page from elsewhere.
    // By the route that it found, since a path can be written in several ways.
    const path = request.routeOptions.url ?? request.url
    const isProtected = /^\/(?:api|debug)\//.test(path) || request.method !== 'GET'
    if (verifyToken === undefined && isProtected && isCrossSite(request.method, request.headers)) {
      return refuse(reply, 403, 'forbidden', 'a page from elsewhere may not ask this')
    }
    // Probes of a supervisor bear no token, call by any name, and learn nothing but whether all is well.
    if (request.routeOptions.url === '/healthz' || request.routeOptions.url === '/readyz') return
    if (request.routeOptions.config.open === true) return
    if (verifyToken?.(request.headers.authorization) === false) {
      return refuse(
        reply.header('www-authenticate', 'Bearer'),
        401,
        'unauthorized',
        'send the token: Authorization: Bearer …',
      )
    }
  })

  await routes(app)

  app.setNotFoundHandler((request, reply) => {
    const path = request.url.replace(/\?.*/s, '')
    if (!app.hasRoute({ method: 'GET', url: path })) return refuse(reply, 404, 'not found', `there is no ${path}`)
    const allowedMethods = ['GET', 'HEAD', 'POST'].filter((method) => app.hasRoute({ method, url: path })).join(', ')
    return refuse(
      reply.header('allow', allowedMethods),
      405,
      'method not allowed',
      `${path} takes ${allowedMethods} only`,
    )
  })
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    const code = statusOf(error)
    if (code >= 500) onError(error)
    // What broke inside is nobody else's business.
    if (code >= 500) return refuse(reply, code, 'internal error', 'see the log')
    const why = error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : error.message
    return refuse(reply, code, 'bad request', why)
  })
  await app.ready()
  return app
}

function statusOf(error: Error & { statusCode?: number }): number {
  if (error instanceof z.ZodError) return 400
  return isMeshError(error, 'MESH_MESSAGE_TOO_LARGE') ? 413 : (error.statusCode ?? 500)
}

function refuse(reply: FastifyReply, code: number, error: string, message: string): FastifyReply {
  return reply.code(code).send({ error, message })
}
