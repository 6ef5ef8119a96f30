import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { MeshError } from '../core/errors.ts'
import { endServer } from './end-server.ts'
import type { Guarded } from './guarded-app.ts'
import { isLoopback, parseHostPort } from './host-port.ts'

export interface ListenerOptions extends Guarded {
  /** The setting that says where to listen, as errors name it. */
  readonly key: string
  /** `host:port`; port 0 picks a free one. */
  readonly listen: string
  /** Makes what is served, at the first request. */
  readonly app: () => Promise<FastifyInstance>
  /** Of a connection before it is cut off, in milliseconds: more than the longest answer takes. 10,000 unless given. */
  readonly silenceMs?: number
}

export interface Listener {
  /** With the port in use, no slash at the end. */
  readonly url: string
  /** Ends the connections that are open, too. */
  close(): Promise<void>
}

/** What a node serves over HTTP is for people, probes and a page, not for load. Guesses. */
const bounds = {
  connections: 64,
  /** A whole request has to be here within this. */
  requestMs: 10_000,
  idleMs: 5_000,
} as const

/**
 * Serves a part of a node over HTTP. Throws MESH_PORT_TAKEN, or MESH_CONFIG_INVALID for an address that this machine
 * cannot listen at or that others could reach without a token.
 */
export async function listenHttp(options: ListenerOptions): Promise<Listener> {
  const { key, listen, token, silenceMs = bounds.requestMs } = options
  const address = parseHostPort(listen)
  if (address === undefined) throw invalid(key, listen, 'host:port')
  if (token === undefined && !isLoopback(address.host)) throw invalid(key, listen, 'a loopback host, or a token')
  const app = onDemand(options)
  const server = createServer({ requestTimeout: bounds.requestMs, keepAliveTimeout: bounds.idleMs }, app.handle)
  server.maxConnections = bounds.connections
  server.setTimeout(silenceMs)
  try {
    server.listen(address)
    await once(server, 'listening')
  } catch (error) {
    throw explained(error, key, listen)
  }
  // Without memory for another socket, accepting fails: a listener without this would end the process.
  server.on('error', options.failed)
  const close = async () => {
    await endServer(server)
    await app.close()
  }
  return { url: urlOf(server), close }
}

/** Fastify is loaded by the first request: 4 MB of memory that a node does without as long as nobody asks it. */
function onDemand({ app: make, failed }: ListenerOptions) {
  let app: Promise<FastifyInstance> | undefined
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    app ??= make()
    app.then(
      (ready) => ready.routing(request, response),
      (error: unknown) => {
        // The next request tries again: what could not be loaded, for want of descriptors say, may be then.
        app = undefined
        failed(error)
        response.writeHead(500).end()
      },
    )
  }
  const close = async () => {
    const ready = await app?.catch(() => undefined)
    await ready?.close()
  }
  return { handle, close }
}

/** An address that stands for all of a machine is shown as loopback, where it can be opened. */
function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo
  if (family === 'IPv4') return `http://${address === '0.0.0.0' ? '127.0.0.1' : address}:${port}`
  return `http://[${address === '::' ? '::1' : address}]:${port}`
}

function explained(error: unknown, key: string, listen: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return new MeshError('MESH_PORT_TAKEN', { key, address: listen }, { cause: error })
  const cures: Record<string, string> = {
    EADDRNOTAVAIL: 'an address of this machine',
    ENOTFOUND: 'a host name that resolves',
    EAI_AGAIN: 'a host name that resolves',
    EACCES: 'a port that this user may open (1024 or higher)',
  }
  const cure = cures[String(code)]
  return cure === undefined ? error : invalid(key, listen, cure, error)
}

function invalid(key: string, listen: string, expected: string, cause?: unknown): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key, given: JSON.stringify(listen), expected }, { cause })
}
