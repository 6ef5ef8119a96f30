import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import * as z from 'zod'
import { isLoopback } from '../core/address.ts'
import { isMeshError } from '../core/errors.ts'
import { parseHostPort } from './host-port.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Served without a token: the route returns nothing about the node or its mesh. */
    readonly open?: true
  }
}

export interface GuardOptions {
  /** Without a token the server answers only requests to a loopback host name. */
  readonly token?: string | undefined
  /** Receives internal errors; the client gets a 500 without details. */
  readonly onError: (error: unknown) => void
}

/** The longest message as JSON, with few escaped characters. */
const maxBodyBytes = 65_536

/**
 * Creates a Fastify app behind the access checks that all HTTP servers of a node share. Imports Fastify on demand.
 */
export async function guardedApp(
  { token, onError }: GuardOptions,
  routes: (app: FastifyInstance) => void | Promise<void>,
): Promise<FastifyInstance> {
  // The default export: in a bundle a CommonJS module that is imported late has no named exports.
  const { default: fastify } = await import('fastify')
  const app = fastify({ bodyLimit: maxBodyBytes })

  const verifyToken = token === undefined ? undefined : tokenVerifier(token)
  app.addHook('onRequest', async (request, reply) => {
    if (verifyToken === undefined && !namesThisMachine(request.headers.host)) {
      return refuse(reply, 403, 'forbidden', 'use a loopback host name, or set a token')
    }
    // A browser does not add a token by itself; without a token a page of another site could send requests here.
    // The check uses the matched route, since a path can be written in several ways.
    const path = request.routeOptions.url ?? request.url
    const isProtected = /^\/(?:api|debug)\//.test(path) || request.method !== 'GET'
    if (verifyToken === undefined && isProtected && isCrossSite(request.method, request.headers)) {
      return refuse(reply, 403, 'forbidden', 'cross-site request')
    }
    // Probes of a supervisor send no token, use any host name, and get only the health.
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
    if (!app.hasRoute({ method: 'GET', url: path })) return refuse(reply, 404, 'not found', `no route ${path}`)
    const allowedMethods = ['GET', 'HEAD', 'POST'].filter((method) => app.hasRoute({ method, url: path })).join(', ')
    return refuse(reply.header('allow', allowedMethods), 405, 'method not allowed', `${path} allows ${allowedMethods}`)
  })
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    const code = statusOf(error)
    if (code >= 500) onError(error)
    // Clients must not see internal errors.
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

/** Checks an `authorization` header for the token, in constant time. */
export function tokenVerifier(token: string): (header: string | undefined) => boolean {
  const expected = digest(token)
  return (header) => {
    const candidate = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(header ?? '')?.[1]
    return candidate !== undefined && timingSafeEqual(digest(candidate), expected)
  }
}

/** Whether a `host` header names this machine. A DNS-rebinding page sends its own host name. */
export function namesThisMachine(header: string | undefined): boolean {
  const hostPort = parseHostPort(header ?? '', 80)
  return hostPort !== undefined && isLoopback(hostPort.host)
}

/** Headers by which the server recognizes the page that a browser request comes from. */
export interface RequestHeaders {
  readonly host?: string | undefined
  readonly origin?: string | undefined
  readonly 'sec-fetch-site'?: string | string[] | undefined
}

/**
 * Whether a page of another site sent the request. Pages on other ports of this machine may read: those of Jaeger and
 * Grafana link here. Only pages of this server, and clients that are no browser, may change something.
 */
export function isCrossSite(method: string, { host, origin, 'sec-fetch-site': site }: RequestHeaders): boolean {
  if (site === 'cross-site') return true
  if (method === 'GET' || method === 'HEAD') return false
  const otherOrigin = origin !== undefined && origin !== `http://${host}`
  return otherOrigin || (site !== undefined && site !== 'same-origin' && site !== 'none')
}

/** Digests have the equal lengths that `timingSafeEqual` needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
