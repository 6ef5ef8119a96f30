import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** UDP ports of 127.0.0.1 that nobody holds now, all different. */
export async function freeUdpPorts(count: number): Promise<readonly number[]> {
  const held: Socket[] = []
  try {
    while (held.length < count) {
      const socket = createSocket('udp4')
      held.push(socket)
      socket.bind(0, '127.0.0.1')
      await once(socket, 'listening')
    }
    return held.map((socket) => socket.address().port)
  } finally {
    await Promise.all(
      held.map((socket) => {
        const closed = once(socket, 'close')
        socket.close()
        return closed
      }),
    )
  }
}
