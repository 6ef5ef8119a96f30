import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** A UDP relay on loopback that forwards to one port and drops its answers. */
export interface OneWayRelay extends AsyncDisposable {
  readonly port: number
  /** Dropped answers so far. */
  readonly dropped: () => number
}

export async function oneWayRelay(to: number): Promise<OneWayRelay> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  let dropped = 0
  socket.on('message', (datagram, from) => {
    if (from.port === to) dropped++
    else socket.send(datagram, to, '127.0.0.1')
  })
  return {
    port: socket.address().port,
    dropped: () => dropped,
    async [Symbol.asyncDispose]() {
      socket.close()
      await once(socket, 'close')
    },
  }
}
