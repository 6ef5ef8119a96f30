import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** A UDP relay on loopback between one client and a port that delays each datagram by `oneWayMs`. */
export interface DelayedRelay extends AsyncDisposable {
  readonly port: number
  /** Datagrams from the client so far. */
  readonly received: () => number
}

export async function delayedRelay(to: number, oneWayMs: number): Promise<DelayedRelay> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  let received = 0
  let client = 0
  let closed = false
  socket.on('message', (datagram, from) => {
    if (from.port !== to) {
      client = from.port
      received++
    }
    const target = from.port === to ? client : to
    setTimeout(() => {
      if (!closed) socket.send(datagram, target, '127.0.0.1')
    }, oneWayMs).unref()
  })
  return {
    port: socket.address().port,
    received: () => received,
    async [Symbol.asyncDispose]() {
      closed = true
      socket.close()
      await once(socket, 'close')
    },
  }
}
