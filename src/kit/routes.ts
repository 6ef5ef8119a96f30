import { createSocket } from 'node:dgram'
import { isIP } from 'node:net'
import type { Owner } from '../core/owner.ts'

/** Documentation addresses: only a default route leads to them. Discard port; the socket never sends. */
export const defaultRouteTargets = ['198.51.100.1', '2001:db8::1']
const discardPort = 9
const limitMs = 1_000

/**
 * The source address that the system would choose for packets to `host`: a connected UDP socket has it, without
 * sending. Undefined when no route leads there, and when the owner closes.
 */
export function sourceAddress(host: string, owner: Owner): Promise<string | undefined> {
  const version = isIP(host)
  if (version === 0 || owner.closed) return Promise.resolve(undefined)
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const socket = createSocket(version === 4 ? 'udp4' : 'udp6')
  const release = owner.adopt('route lookup', () => {
    cancelLimit()
    socket.close()
    resolve(undefined)
  })
  const end = (address: string | undefined) => {
    resolve(address)
    void release()
  }
  const cancelLimit = owner.after(limitMs, () => end(undefined))
  socket.on('error', () => end(undefined))
  socket.once('connect', () => end(socket.address().address))
  socket.connect(discardPort, host)
  return promise
}
