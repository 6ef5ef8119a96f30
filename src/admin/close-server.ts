import { once } from 'node:events'
import type { Server } from 'node:http'

/** Closes a server with all its connections: a stop must not wait for a browser that keeps its connection open. */
export async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
