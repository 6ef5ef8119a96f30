import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** Below the range that Linux draws ports for outgoing sockets from: a port given up for a restart stays free. */
const lowest = 20_000
const highest = 32_000

/** Draws in vain for one port, after which all count as taken. Guess. */
const maxTries = 200

/** `count` UDP ports that are free on loopback now, all different. Rejects when no socket can be bound, or none is free. */
export async function freeUdpPorts(
  count: number,
  randomPort = () => lowest + Math.floor(Math.random() * (highest - lowest)),
): Promise<readonly number[]> {
  const sockets: Socket[] = []
  try {
    for (let tries = 0; sockets.length < count; tries++) {
      if (tries >= count * maxTries)
        throw new Error(`of ${tries} UDP ports ${count - sockets.length} too few were free`)
      const socket = await tryPort(randomPort())
      if (socket !== undefined) sockets.push(socket)
    }
    return sockets.map((socket) => socket.address().port)
  } finally {
    for (const socket of sockets) socket.close()
  }
}

async function tryPort(port: number): Promise<Socket | undefined> {
  const socket = createSocket('udp4')
  socket.bind({ port, address: '127.0.0.1', exclusive: true })
  try {
    await once(socket, 'listening')
    return socket
  } catch (error) {
    socket.close()
    // Anything but a port in use would be so for the next one, too.
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return undefined
    throw error
  }
}
