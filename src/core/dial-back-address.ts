import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import { isLinkLocal, isLoopback, isWildcard, parseAddress } from './address.ts'
import type { DialBackResult, DialBackTransport } from './frames.ts'

export type DialBackOutcome = DialBackResult['outcome'] | 'no-answer'

export function dialBackSpan(of: {
  readonly side: 'asker' | 'responder'
  readonly outcome: DialBackOutcome
  readonly peer: string
  readonly address: string
  /** Set by the responder only. */
  readonly errorType: string
}): SpanEffect {
  const { host, port, transport } = parseAddress(of.address)
  return emitSpan('mesh.address.dialback', {
    'mesh.dialback.side': of.side,
    'mesh.dialback.outcome': of.outcome,
    'mesh.peer.id': of.peer,
    'network.peer.address': host,
    'network.peer.port': port,
    'network.transport': transport === 'tcp' ? 'tcp' : 'udp',
    ...(of.errorType === '' ? {} : { 'error.type': of.errorType }),
  })
}

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
