import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/** Below Linux's range of ephemeral ports: a port released for a restart stays free. */
const minPort = 20_000
const maxPort = 32_000
/** Attempts before the search fails. Guess. */
const maxTries = 200

/**
 * Finds TCP ports that are free on loopback, all different; another process may still take them. Rejects if no socket
 * can be bound or no port is free.
 *
 * @param preferred One entry per port: the port to use if it is free, or 0 for any.
 */
export async function freeTcpPorts(preferred: readonly number[]): Promise<readonly number[]> {
  const servers: Server[] = []
  try {
    for (const port of preferred) servers.push((await tryListen(port)) ?? (await listenAnywhere()))
    return servers.map((server) => (server.address() as { port: number }).port)
  } finally {
    await Promise.all(servers.map((server) => once(server.close(), 'close')))
  }
}

async function listenAnywhere(): Promise<Server> {
  for (let tries = 0; tries < maxTries; tries++) {
    const server = await tryListen(minPort + Math.floor(Math.random() * (maxPort - minPort)))
    if (server !== undefined) return server
  }
  throw new Error(`no free TCP port in ${maxTries} attempts`)
}

async function tryListen(port: number): Promise<Server | undefined> {
  if (port === 0) return undefined
  const server = createServer()
  try {
    // Exclusive: detects a port in use on all interfaces.
    server.listen({ port, host: '127.0.0.1', exclusive: true })
    await once(server, 'listening')
    return server
  } catch (error) {
    // Any other error would also affect the next port.
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return undefined
    throw error
  }
}
