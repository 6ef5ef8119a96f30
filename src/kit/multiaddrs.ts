import { CODE_MEMORY, CODE_P2P_CIRCUIT, CODE_QUIC_V1, CODE_TCP, type Multiaddr } from '@multiformats/multiaddr'
import { withoutPeer as textWithoutPeer } from '../core/multiaddr-text.ts'

/** Text of an address without its trailing peer id. */
export function withoutPeer(address: Multiaddr): string {
  return textWithoutPeer(address.toString())
}

/** `code`: one of the library's `CODE_` constants. */
export function hasProtocol(address: Multiaddr, code: number): boolean {
  return address.getComponents().some((component) => component.code === code)
}

/** Whether this address leads through a relay. */
export function isRelayed(address: Multiaddr): boolean {
  return hasProtocol(address, CODE_P2P_CIRCUIT)
}

export function transportOf(address: Multiaddr): 'quic' | 'tcp' | 'memory' | 'other' {
  if (hasProtocol(address, CODE_QUIC_V1)) return 'quic'
  if (hasProtocol(address, CODE_MEMORY)) return 'memory'
  return hasProtocol(address, CODE_TCP) ? 'tcp' : 'other'
}
