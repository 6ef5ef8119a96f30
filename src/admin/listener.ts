import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { isLoopback } from '../core/address.ts'
import { MeshError } from '../core/errors.ts'
import type { GuardOptions } from './guarded-app.ts'
import { parseHostPort } from './host-port.ts'

export interface ListenerOptions extends GuardOptions {
  /** Name of the listen setting in errors. */
  readonly key: string
  /** `host:port`; port 0 picks a free one. */
  readonly listen: string
  /** Creates the app at the first request. */
  readonly app: () => Promise<FastifyInstance>
  /** Inactivity in ms after which the server closes a socket, above the longest answer; 10,000 by default, 0 for never. */
  readonly socketTimeoutMs?: number
  /** Connections above which the server drops further ones; 64 by default. */
  readonly connections?: number
}

export interface Listener {
  /** With the actual port, without a slash at the end. */
  readonly url: string
  /** Closes open connections, too. */
  close(): Promise<void>
}

/** The HTTP servers of a node are for people, probes and a page, not for load. Guesses. */
const limits = {
  connections: 64,
  /** Connections that wait to be accepted: Node's default. */
  backlog: 511,
  /** Time to receive a complete request. */
  requestMs: 10_000,
  idleMs: 5_000,
} as const

/**
 * Serves a part of a node over HTTP. Throws MESH_PORT_TAKEN, or MESH_CONFIG_INVALID for an address that this machine
 * cannot listen on or that is beyond loopback without a token.
 */
export async function listenHttp(options: ListenerOptions): Promise<Listener> {
  const { key, listen, token, socketTimeoutMs = limits.requestMs, connections = limits.connections } = options
  const address = parseHostPort(listen)
  if (address === undefined) throw invalidListen(key, listen, 'host:port')
  if (token === undefined && !isLoopback(address.host)) throw invalidListen(key, listen, 'a loopback host, or a token')
  const app = lazyApp(options)
  const server = createServer({ requestTimeout: limits.requestMs, keepAliveTimeout: limits.idleMs }, app.handle)
  server.maxConnections = connections
  server.setTimeout(socketTimeoutMs)
  try {
    server.listen({ ...address, backlog: Math.max(connections, limits.backlog) })
    await once(server, 'listening')
  } catch (error) {
    throw toListenError(error, key, listen)
  }
  // Accepting fails without memory for another socket: an unhandled 'error' event would end the process.
  server.on('error', options.onError)
  const close = async () => {
    const closed = once(server, 'close')
    server.close()
    // A stop must not wait for a browser that keeps its connection open.
    server.closeAllConnections()
    await closed
    await app.close()
  }
  return { url: urlOf(server), close }
}

/** Loads Fastify at the first request: a node without requests saves 4 MB of memory. */
function lazyApp({ app: createApp, onError }: ListenerOptions) {
  let app: Promise<FastifyInstance> | undefined
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    app ??= createApp()
    app.then(
      (instance) => instance.routing(request, response),
      (error: unknown) => {
        // The next request tries again: loading may fail temporarily, for example without free descriptors.
        app = undefined
        onError(error)
        response.writeHead(500).end()
      },
    )
  }
  const close = async () => {
    const instance = await app?.catch(() => undefined)
    await instance?.close()
  }
  return { handle, close }
}

/** Replaces a wildcard address by loopback, so that the URL can be opened. */
function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo
  if (family === 'IPv4') return `http://${address === '0.0.0.0' ? '127.0.0.1' : address}:${port}`
  return `http://[${address === '::' ? '::1' : address}]:${port}`
}

function toListenError(error: unknown, key: string, listen: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return new MeshError('MESH_PORT_TAKEN', { key, address: listen }, { cause: error })
  const remedies: Record<string, string> = {
    EADDRNOTAVAIL: 'an address of this machine',
    ENOTFOUND: 'a host name that resolves',
    EAI_AGAIN: 'a host name that resolves',
    EACCES: 'a port that this user may open (1024 or higher)',
  }
  const remedy = remedies[String(code)]
  return remedy === undefined ? error : invalidListen(key, listen, remedy, error)
}

function invalidListen(key: string, listen: string, expected: string, cause?: unknown): MeshError {
  return new MeshError('MESH_CONFIG_INVALID', { key, given: JSON.stringify(listen), expected }, { cause })
}
