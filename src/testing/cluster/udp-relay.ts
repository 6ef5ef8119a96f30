import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** A UDP relay on loopback between one client and a port. */
export interface UdpRelay extends AsyncDisposable {
  readonly port: number
  /** Datagrams of the client, and answers to it, so far. */
  readonly received: () => number
  readonly answered: () => number
}

/** `delayMs` delays each datagram; `oneWay` drops the answers. */
export async function udpRelay(to: number, { delayMs = 0, oneWay = false } = {}): Promise<UdpRelay> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  let [received, answered, client, isClosed] = [0, 0, 0, false]
  socket.on('message', (datagram, from) => {
    const isAnswer = from.port === to
    if (isAnswer) answered++
    else received++
    if (!isAnswer) client = from.port
    if (isAnswer && oneWay) return
    const target = isAnswer ? client : to
    setTimeout(() => {
      if (!isClosed) socket.send(datagram, target, '127.0.0.1')
    }, delayMs).unref()
  })
  return {
    port: socket.address().port,
    received: () => received,
    answered: () => answered,
    async [Symbol.asyncDispose]() {
      isClosed = true
      socket.close()
      await once(socket, 'close')
    },
  }
}
