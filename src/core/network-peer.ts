/** The other end of a connection in OpenTelemetry's names; nothing of an address that has no IP or port. */
export interface NetworkPeer {
  readonly 'network.peer.address'?: string
  readonly 'network.peer.port'?: number
  readonly 'network.transport'?: 'tcp' | 'udp'
  readonly 'network.protocol.name'?: 'quic'
}

/** Reads the first IP address and port of a multiaddr: of a relayed connection they are the relay's. */
export function networkPeer(multiaddr: string): NetworkPeer {
  const parts = multiaddr.split('/')
  const ip = parts.findIndex((part) => part === 'ip4' || part === 'ip6')
  const address = parts[ip + 1]
  if (ip === -1 || address === undefined || address === '') return {}
  const [transport, digits, protocol] = parts.slice(ip + 2)
  const port = Number(digits)
  if ((transport !== 'tcp' && transport !== 'udp') || !Number.isInteger(port))
    return { 'network.peer.address': address }
  return {
    'network.peer.address': address,
    'network.peer.port': port,
    'network.transport': transport,
    ...(protocol?.startsWith('quic') && { 'network.protocol.name': 'quic' as const }),
  }
}
