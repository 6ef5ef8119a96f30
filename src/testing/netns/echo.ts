import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'

/** Port of the echo protocol, RFC 862; no node uses it. */
const port = 7
const intervalMs = 100

export type Transport = 'udp' | 'tcp'

/** Echoes UDP datagrams and TCP streams on every address of this machine. */
export async function startEcho(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const udp = createSocket('udp6', (message, from) => udp.send(message, from.port, from.address, () => {}))
  udp.once('error', reject).bind(port, '::')
  const tcp = createServer((socket) => socket.on('error', () => {}).pipe(socket))
  tcp.once('error', reject).listen(port, '::', resolve)
  await promise
}

/** Whether this address echoes within `limitMs`. */
export function hasEcho(transport: Transport, address: string, limitMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const close = transport === 'udp' ? sendByUdp(address, resolve) : sendByTcp(address, resolve)
  const timer = setTimeout(() => resolve(false), limitMs)
  return promise.finally(() => {
    clearTimeout(timer)
    close()
  })
}

function sendByUdp(address: string, answer: (hasEchoed: boolean) => void): () => void {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4', () => answer(true))
  socket.on('error', () => answer(false))
  const send = () => socket.send('hello', port, address, () => {})
  const timer = setInterval(send, intervalMs)
  send()
  return () => {
    clearInterval(timer)
    socket.close()
  }
}

function sendByTcp(address: string, answer: (hasEchoed: boolean) => void): () => void {
  const socket = connect(port, address, () => socket.write('hello'))
  socket.once('data', () => answer(true)).on('error', () => answer(false))
  return () => socket.destroy()
}
