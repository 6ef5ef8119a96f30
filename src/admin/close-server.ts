import { once } from 'node:events'
import type { Server } from 'node:http'

/** Ends a server with all that is connected to it: a stop must not wait for a browser that keeps its connection. */
export async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
