import { parseAddress } from './address.ts'

/** OpenTelemetry attributes of the remote end; empty for an address without IP. */
export interface NetworkPeer {
  readonly 'network.peer.address'?: string
  readonly 'network.peer.port'?: number
  readonly 'network.transport'?: 'tcp' | 'udp'
  readonly 'network.protocol.name'?: 'quic'
}

/** IP address and port of a multiaddr; for a relayed connection those of the relay. */
export function networkPeer(multiaddr: string): NetworkPeer {
  const { host, family, port, transport } = parseAddress(multiaddr)
  if (host === '' || (family !== 'ip4' && family !== 'ip6')) return {}
  const [carrier, protocol] = transport === 'quic' ? ['udp', 'quic'] : transport.split('/')
  if ((carrier !== 'tcp' && carrier !== 'udp') || !Number.isInteger(port) || port === 0)
    return { 'network.peer.address': host }
  return {
    'network.peer.address': host,
    'network.peer.port': port,
    'network.transport': carrier,
    ...(protocol?.startsWith('quic') && { 'network.protocol.name': 'quic' as const }),
  }
}
