import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** Below the range that Linux draws ports for outgoing sockets from: a port given up for a restart stays free. */
const lowest = 20_000
const highest = 32_000

/** `count` UDP ports that are free on loopback now, all different. */
export async function freeUdpPorts(count: number): Promise<readonly number[]> {
  const held: Socket[] = []
  try {
    while (held.length < count) {
      const socket = await tryPort(lowest + Math.floor(Math.random() * (highest - lowest)))
      if (socket !== undefined) held.push(socket)
    }
    return held.map((socket) => socket.address().port)
  } finally {
    for (const socket of held) socket.close()
  }
}

async function tryPort(port: number): Promise<Socket | undefined> {
  const socket = createSocket('udp4')
  socket.bind({ port, address: '127.0.0.1', exclusive: true })
  try {
    await once(socket, 'listening')
    return socket
  } catch {
    socket.close()
    return undefined
  }
}
