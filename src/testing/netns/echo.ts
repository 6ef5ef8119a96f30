import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'

/** Of the echo protocol, RFC 862: no node listens there. */
const port = 7
const limitMs = 700
const everyMs = 100

export type Transport = 'udp' | 'tcp'

/** Answers whoever asks at any address of this machine, by UDP and TCP. */
export async function startEcho(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const udp = createSocket('udp6', (message, from) => udp.send(message, from.port, from.address, () => {}))
  udp.once('error', reject).bind(port, '::')
  const tcp = createServer((socket) => socket.on('error', () => {}).pipe(socket))
  tcp.once('error', reject).listen(port, '::', resolve)
  await promise
}

/** Whether an echo comes back from this address soon. */
export function hasEcho(transport: Transport, address: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const close = transport === 'udp' ? askByUdp(address, resolve) : askByTcp(address, resolve)
  const timer = setTimeout(() => resolve(false), limitMs)
  return promise.finally(() => {
    clearTimeout(timer)
    close()
  })
}

function askByUdp(address: string, answer: (came: boolean) => void): () => void {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4', () => answer(true))
  socket.on('error', () => answer(false))
  const send = () => socket.send('hello', port, address, () => {})
  const timer = setInterval(send, everyMs)
  send()
  return () => {
    clearInterval(timer)
    socket.close()
  }
}

function askByTcp(address: string, answer: (came: boolean) => void): () => void {
  const socket = connect(port, address, () => socket.write('hello'))
  socket.once('data', () => answer(true)).on('error', () => answer(false))
  return () => socket.destroy()
}
