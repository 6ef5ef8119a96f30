import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closeServer } from '../admin/close-server.ts'
import type { HostPort } from '../admin/host-port.ts'
import { type QueryAppOptions, queryApp } from './query-app.ts'

export interface QueryServer {
  readonly port: number
  close(): Promise<void>
}

/** A thousand clients, and some to spare. Further connections are dropped. */
const maxConnections = 1_200
/** Timeouts of a complete request and of an idle connection, in milliseconds. */
const [requestMs, idleMs] = [10_000, 5_000]

/** Rejects if it cannot listen. */
export async function startQueryServer(
  options: QueryAppOptions & { readonly address: HostPort },
): Promise<QueryServer> {
  const app = await queryApp(options)
  const server: Server = createServer({ requestTimeout: requestMs, keepAliveTimeout: idleMs }, (request, response) =>
    app.routing(request, response),
  )
  server.maxConnections = maxConnections
  try {
    server.listen({ ...options.address, backlog: maxConnections })
    await once(server, 'listening')
  } catch (error) {
    await app.close()
    throw error
  }
  const close = async () => {
    await closeServer(server)
    await app.close()
  }
  return { port: (server.address() as AddressInfo).port, close }
}
