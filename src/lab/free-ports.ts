import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** Below the ephemeral port range of Linux: a port stays free while its node restarts. */
const lowest = 20_000
const highest = 32_000

/** Failed tries per port after which all ports count as in use. Guess. */
const maxTries = 200

/** Finds `count` different UDP ports that are free on loopback. Rejects when binding fails, or too few are free. */
export async function freeUdpPorts(
  count: number,
  randomPort = () => lowest + Math.floor(Math.random() * (highest - lowest)),
): Promise<readonly number[]> {
  const sockets: Socket[] = []
  try {
    for (let tries = 0; sockets.length < count; tries++) {
      if (tries >= count * maxTries) throw new Error(`tried ${tries} UDP ports, ${count - sockets.length} more needed`)
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
    // Any other error would occur for every port.
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return undefined
    throw error
  }
}
