import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import * as z from 'zod'
import { isCrossSite, namesThisMachine } from '../admin/guard.ts'
import { parseHostPort } from '../admin/host-port.ts'
import { roles } from '../catalogue/roles.ts'
import { isMeshError, MeshError } from '../core/errors.ts'
import { pageRoutes } from '../page/serve.ts'
import { traceRoutes } from '../page/trace-routes.ts'
import type { Lab } from './lab.ts'

/** What of a lab is served. */
export type ServedLab = Pick<
  Lab,
  'view' | 'record' | 'kill' | 'pause' | 'resume' | 'start' | 'spawn' | 'publish' | 'inventory' | 'query'
>

export interface LabServer {
  /** No slash at the end. */
  readonly url: string
  close(): Promise<void>
}

/** Nothing that is asked of a lab has a body worth the name. Guess. */
const maxBodyBytes = 4_096
/** Ports after the one that was asked for, in which another lab leaves room. */
const maxTries = 20

/**
 * Serves the page of a lab, what it shows and what it can do. `listen`: `host:port` with a loopback host; when the port
 * is taken, one of the next, or any. Throws MESH_CONFIG_INVALID when this machine cannot listen there.
 */
export async function serveLab(lab: ServedLab, listen: string): Promise<LabServer> {
  const address = parseHostPort(listen)
  if (address === undefined) throw invalidPage(listen, 'host:port')
  const { host, port } = address
  const app = await labApp(lab)
  try {
    const url = await listenFrom(app, host, port, listen)
    return { url, close: () => app.close() }
  } catch (error) {
    await app.close()
    throw error
  }
}

/** Without a port yet: for tests, too. */
export async function labApp(lab: ServedLab): Promise<FastifyInstance> {
  const app = fastify({ bodyLimit: maxBodyBytes, forceCloseConnections: true })
  app.addHook('onRequest', guard)
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    const code = statusOf(error)
    const why = error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : error.message
    return refuse(reply, code, code < 500 ? why : 'something broke inside the lab')
  })
  app.setNotFoundHandler(({ method, url }, reply) => refuse(reply, 404, `there is no ${method} ${url.slice(0, 200)}`))
  await pageRoutes(app)
  app.get('/api/mesh', () => lab.view())
  app.get('/api/lab/record', () => lab.record())
  addControls(app, lab)
  if (lab.query !== undefined) traceRoutes(app, lab.query)
  return app
}

const spawnBody = z.object({ role: z.enum(roles), mesh: z.string().max(64) })
/** What people say, in characters; in bytes it stays far below what a node sends. */
const messageBody = z.object({ text: z.string().min(1).max(500) })
const startQuery = z.object({ identity: z.enum(['same', 'fresh']).default('same') })
type NodeParams = { Params: { name: string } }

function addControls(app: FastifyInstance, lab: ServedLab): void {
  const addControl = (verb: string, run: (name: string, request: FastifyRequest<NodeParams>) => Promise<unknown>) =>
    app.post<NodeParams>(`/api/lab/nodes/:name/${verb}`, async (request) => {
      await run(request.params.name, request)
      return { done: verb, node: request.params.name }
    })
  addControl('kill', (name) => lab.kill(name, 'kill'))
  addControl('stop', (name) => lab.kill(name, 'stop'))
  addControl('pause', (name) => lab.pause(name))
  addControl('resume', (name) => lab.resume(name))
  addControl('start', (name, { query }) => lab.start(name, startQuery.parse(query).identity))
  app.post('/api/lab/nodes', async (request, reply) => {
    const { role, mesh } = spawnBody.parse(request.body)
    return reply.code(201).send({ node: await lab.spawn(role, mesh) })
  })
  app.post<NodeParams>('/api/lab/nodes/:name/messages', ({ params, body }) =>
    lab.publish(params.name, messageBody.parse(body).text),
  )
  app.get<NodeParams>('/api/lab/nodes/:name/inventory', ({ params }) => lab.inventory(params.name))
}

/** A page elsewhere whose name points here is refused, and so is one that merely sends its reader's browser here. */
async function guard({ headers, method, url }: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (!namesThisMachine(headers.host)) return refuse(reply, 403, 'ask by a loopback host name')
  const isProtected = url.startsWith('/api/') || method !== 'GET'
  if (isProtected && isCrossSite(method, headers)) return refuse(reply, 403, 'only the lab’s own page may do this')
}

function refuse(reply: FastifyReply, code: number, message: string): FastifyReply {
  return reply.code(code).send({ error: code < 500 ? 'refused' : 'internal error', message })
}

function statusOf(error: Error & { statusCode?: number }): number {
  if (error instanceof z.ZodError) return 400
  if (isMeshError(error, 'MESH_LAB_UNKNOWN')) return 404
  if (isMeshError(error, 'MESH_LAB_REFUSED') || isMeshError(error, 'MESH_LIMIT_REACHED')) return 409
  return error.statusCode ?? 500
}

async function listenFrom(app: FastifyInstance, host: string, port: number, listen: string): Promise<string> {
  const ports = port === 0 ? [0] : [...Array.from({ length: maxTries }, (_, index) => port + index), 0]
  for (const one of ports.filter((candidate) => candidate < 65_536)) {
    try {
      return await app.listen({ host, port: one })
    } catch (error) {
      if (codeOf(error) === 'EADDRINUSE') continue
      throw invalidPage(listen, `an address and a port that can be listened at (${codeOf(error)})`, error)
    }
  }
  throw new MeshError('MESH_PORT_TAKEN', { key: '--page', address: listen })
}

function invalidPage(listen: string, expected: string, cause?: unknown): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key: '--page', given: JSON.stringify(listen), expected }, { cause })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
