import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import * as z from 'zod'
import { isCrossSite, namesThisMachine } from '../admin/guarded-app.ts'
import { parseHostPort } from '../admin/host-port.ts'
import { roles } from '../catalogue/roles.ts'
import { errorCode, isMeshError, MeshError } from '../core/errors.ts'
import { doctorRoute } from '../page/doctor-route.ts'
import { diagnoseStore } from '../page/doctor-thread.ts'
import { meshRoute } from '../page/mesh-route.ts'
import { pageRoutes } from '../page/serve.ts'
import { traceRoutes } from '../page/trace-routes.ts'
import type { Lab } from './lab.ts'

export interface LabServer {
  /** Without a slash at the end. */
  readonly url: string
  close(): Promise<void>
}

/** Request bodies of the lab are small. Guess. */
const maxBodyBytes = 4_096
/** Ports to try from the given one on: other labs may run. */
export const pagePorts = 20

/**
 * Serves the page of a lab with its data and controls. `listen`: `host:port` with a loopback host; when the port is in
 * use, one of the next ports, or any. Throws MESH_CONFIG_INVALID when this machine cannot listen there.
 */
export async function serveLab(lab: Lab, listen: string): Promise<LabServer> {
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

/** The app without a listener, for tests, too. */
export async function labApp(lab: Lab): Promise<FastifyInstance> {
  const app = fastify({ bodyLimit: maxBodyBytes, forceCloseConnections: true })
  app.addHook('onRequest', guard)
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    const code = statusOf(error)
    const why = error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : error.message
    return refuse(reply, code, code < 500 ? why : 'internal error of the lab')
  })
  app.setNotFoundHandler(({ method, url }, reply) => refuse(reply, 404, `no route ${method} ${url.slice(0, 200)}`))
  await pageRoutes(app)
  meshRoute(app, () => lab.view())
  addControls(app, lab)
  if (lab.query !== undefined) {
    traceRoutes(app, lab.query)
    doctorRoute(app, diagnoseStore(lab.query))
  }
  return app
}

const spawnBody = z.object({ role: z.enum(roles), mesh: z.string().max(64) })
/** The limit is in characters; in bytes it is far below the message limit of a node. */
const messageBody = z.object({ text: z.string().min(1).max(500) })
const startQuery = z.object({ identity: z.enum(['same', 'fresh']).default('same') })
type NodeParams = { Params: { name: string } }

function addControls(app: FastifyInstance, lab: Lab): void {
  const addControl = (verb: string, run: (name: string, request: FastifyRequest<NodeParams>) => Promise<unknown>) =>
    app.post<NodeParams>(`/api/lab/nodes/:name/${verb}`, async (request) => {
      await run(request.params.name, request)
      return { done: verb, node: request.params.name }
    })
  addControl('kill', (name) => lab.killNode(name))
  addControl('stop', (name) => lab.stopNode(name))
  addControl('pause', (name) => lab.pauseNode(name))
  addControl('resume', (name) => lab.resumeNode(name))
  addControl('start', (name, { query }) => lab.startNode(name, startQuery.parse(query).identity))
  app.post('/api/lab/nodes', async (request, reply) => {
    const { role, mesh } = spawnBody.parse(request.body)
    return reply.code(201).send({ node: await lab.spawn(role, mesh) })
  })
  app.post<NodeParams>('/api/lab/nodes/:name/messages', ({ params, body }) =>
    lab.publish(params.name, messageBody.parse(body).text),
  )
  // A page asks as long as its view shows the node as running, and a killed node stays there until the next poll.
  app.get<NodeParams>('/api/lab/nodes/:name/inventory', ({ params }, reply) =>
    lab.inventory(params.name).catch((error: unknown) => {
      if (!isMeshError(error, 'MESH_LAB_REFUSED')) throw error
      return reply.code(204).send()
    }),
  )
}

/** Refuses DNS-rebinding and cross-site requests. */
async function guard({ headers, method, url }: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (!namesThisMachine(headers.host)) return refuse(reply, 403, 'use a loopback host name')
  const isProtected = url.startsWith('/api/') || method !== 'GET'
  if (isProtected && isCrossSite(method, headers)) return refuse(reply, 403, 'cross-site request')
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
  const ports = port === 0 ? [0] : [...Array.from({ length: pagePorts }, (_, index) => port + index), 0]
  for (const one of ports.filter((candidate) => candidate < 65_536)) {
    try {
      return await app.listen({ host, port: one })
    } catch (error) {
      if (errorCode(error) === 'EADDRINUSE') continue
      throw invalidPage(listen, `an address and a port of this machine to listen on (${errorCode(error)})`, error)
    }
  }
  throw new MeshError('MESH_PORT_TAKEN', { key: '--page', address: listen })
}

function invalidPage(listen: string, expected: string, cause?: unknown): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key: '--page', given: JSON.stringify(listen), expected }, { cause })
}
