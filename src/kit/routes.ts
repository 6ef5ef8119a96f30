import { createSocket } from 'node:dgram'
import { isIP } from 'node:net'

/** Addresses kept for documentation: only a default route leads to them. Discard port; nothing is ever sent. */
export const defaultRouteTargets = ['198.51.100.1', '2001:db8::1']
const discardPort = 9
const limitMs = 1_000

/**
 * The source address that the system would choose for packets to `host`: a connected UDP socket knows it, and sends
 * nothing. Undefined when no route leads there.
 */
export function sourceAddress(host: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const version = isIP(host)
  if (version === 0) return Promise.resolve(undefined)
  const socket = createSocket(version === 4 ? 'udp4' : 'udp6')
  let ended = false
  const end = (address: string | undefined) => {
    if (ended) return
    ended = true
    clearTimeout(timer)
    socket.close()
    resolve(address)
  }
  const timer = setTimeout(() => end(undefined), limitMs)
  socket.once('error', () => end(undefined))
  socket.once('connect', () => end(socket.address().address))
  socket.connect(discardPort, host)
  return promise
}
