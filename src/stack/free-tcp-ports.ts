import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/** Below the range that Linux draws ports for outgoing connections from: a port given up for a restart stays free. */
const minPort = 20_000
const maxPort = 32_000
/** Draws in vain, after which all count as taken. Guess. */
const maxTries = 200

/**
 * TCP ports that are free on loopback now, all different; somebody else may take them meanwhile. Rejects when no socket
 * can be bound, or none is free.
 *
 * @param preferred A port that is taken if it is free, or 0 for any; one for each port asked for.
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
  throw new Error(`of ${maxTries} TCP ports none was free`)
}

async function tryListen(port: number): Promise<Server | undefined> {
  if (port === 0) return undefined
  const server = createServer()
  try {
    // Exclusive: a port that is in use on all interfaces is in use here.
    server.listen({ port, host: '127.0.0.1', exclusive: true })
    await once(server, 'listening')
    return server
  } catch (error) {
    // Anything but a port in use would be so for the next one, too.
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return undefined
    throw error
  }
}
