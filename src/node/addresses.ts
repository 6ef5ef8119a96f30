import { isIP } from 'node:net'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** `host:port` or `[ip6]:port`; undefined for anything else. `fallback` is the port when none is given. */
export function parseHostPort(text: string, fallback?: number): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = match?.[3] === undefined ? fallback : Number(match[3])
  if (host === undefined || port === undefined || port > 65_535) return undefined
  if (match?.[1] !== undefined && isIP(host) !== 6) return undefined
  // Digits and dots that are no address would otherwise pass for a name.
  if (/^[\d.]+$/.test(host) && isIP(host) !== 4) return undefined
  return { host, port }
}

/** Whether only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** Where an address is used decides what it may be made of. */
export type AddressUse = 'listen' | 'dial'

const shapes: Record<AddressUse, RegExp> = {
  listen: /^(ip4|ip6)\/(udp\/quic-v1|tcp)$/,
  dial: /^(ip4|ip6|dns|dns4|dns6)\/(udp\/quic-v1|tcp)(\/p2p)?$/,
}
const domain = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?$/

/** Whether `text` is a multiaddr that this node can listen at, or dial: QUIC or TCP. Port 0 is for listening only. */
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
