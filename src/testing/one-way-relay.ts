import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** UDP datagrams on loopback that reach their receiver; its answers reach nobody. */
export interface OneWayRelay extends AsyncDisposable {
  readonly port: number
  /** Datagrams of the receiver that were dropped. */
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
