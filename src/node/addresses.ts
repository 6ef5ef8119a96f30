import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'

/** The use of an address decides which components it may have. */
export type AddressUse = 'listen' | 'dial'

const shapes: Record<AddressUse, RegExp> = {
  listen: /^(ip4|ip6)\/(udp\/quic-v1|tcp)$/,
  dial: /^(ip4|ip6|dns|dns4|dns6)\/(udp\/quic-v1|tcp)(\/p2p)?$/,
}
const domain = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?$/

/** Whether `text` is a multiaddr that this node can listen on, or dial: QUIC or TCP. Port 0 is for listening only. */
export function isAddress(text: string, use: AddressUse): boolean {
  try {
    const parts = multiaddr(text).getComponents()
    if (!shapes[use].test(parts.map((part) => part.name).join('/'))) return false
    return parts.every(({ name, value = '' }) => {
      if (name.startsWith('dns')) return domain.test(value)
      if (name === 'udp' || name === 'tcp') return use === 'listen' || value !== '0'
      if (name === 'p2p') peerIdFromString(value)
      return true
    })
  } catch {
    return false
  }
}
