import { isLinkLocal, isLoopback, isWildcard } from './address.ts'
import type { DialBackResult, DialBackTransport } from './frames.ts'

export type DialBackOutcome = DialBackResult['outcome'] | 'no-answer'

export function addressAt(host: string, transport: DialBackTransport, port: number): string {
  const rest = transport === 'quic' ? `udp/${port}/quic-v1` : `tcp/${port}`
  return `/${familyOf(host)}/${host}/${rest}`
}

export function familyOf(host: string): 'ip4' | 'ip6' {
  return host.includes(':') ? 'ip6' : 'ip4'
}

export function isDialable(host: string): boolean {
  return /^[\d.]+$|:/.test(host) && !isWildcard(host) && !isLoopback(host) && !isLinkLocal(host)
}
