import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { endServer } from '../admin/end-server.ts'
import type { HostPort } from '../admin/host-port.ts'
import { type QueryAppOptions, queryApp } from './query-app.ts'

export interface QueryServer {
  readonly port: number
  close(): Promise<void>
}

/** A thousand readers, and some besides. What comes on top is cut off. */
const connections = 1_200
/** In milliseconds: for a whole request to be there, and for a connection that asks nothing. */
const [requestMs, idleMs] = [10_000, 5_000]

/** Rejects when it cannot listen. */
export async function startQueryServer(
  options: QueryAppOptions & { readonly address: HostPort },
): Promise<QueryServer> {
  const app = await queryApp(options)
  const server: Server = createServer({ requestTimeout: requestMs, keepAliveTimeout: idleMs }, (request, response) =>
    app.routing(request, response),
  )
  server.maxConnections = connections
  try {
    server.listen({ ...options.address, backlog: connections })
    await once(server, 'listening')
  } catch (error) {
    await app.close()
    throw error
  }
  const close = async () => {
    await endServer(server)
    await app.close()
  }
  return { port: (server.address() as AddressInfo).port, close }
}
