import { parseAddress } from './address.ts'

/** The other end of a connection in OpenTelemetry's names; nothing of an address that has no IP or port. */
export interface NetworkPeer {
  readonly 'network.peer.address'?: string
  readonly 'network.peer.port'?: number
  readonly 'network.transport'?: 'tcp' | 'udp'
  readonly 'network.protocol.name'?: 'quic'
}

/** IP address and port of a multiaddr: of a relayed connection they are the relay's. */
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
