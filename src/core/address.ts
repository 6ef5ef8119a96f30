import type { ConnectionInfo } from './events.ts'
import type { DialBackTransport } from './frames.ts'

/** The parts of a multiaddr that the core needs. The core depends on no multiaddr library. */
export interface ParsedAddress {
  /** Canonical IP address, DNS name, or empty. */
  readonly host: string
  readonly family: 'ip4' | 'ip6' | 'dns' | 'none'
  readonly port: number
  /** `quic`, `tcp`, or for any other transport the protocols above the host. */
  readonly transport: string
  readonly isRelayed: boolean
}

/** Parses a well-formed multiaddr; the result for any other text has no host. */
export function parseAddress(address: string): ParsedAddress {
  const [, protocol = '', value = '', ...rest] = withoutZone(address).split('/')
  const family = protocol === 'ip4' || protocol === 'ip6' ? protocol : protocol.startsWith('dns') ? 'dns' : 'none'
  const protocols = rest.filter((part) => /^[a-z]/.test(part)).join('/')
  const [, port = '0'] = rest
  return {
    host: family === 'none' ? '' : canonicalHost(value),
    family,
    port: Number(port) || 0,
    transport: transportOf(protocols.replace(/\/p2p\b.*$/, '')),
    isRelayed: address.includes('/p2p-circuit'),
  }
}

/** The same transport and port at another IP address. */
export function withHost(address: string, host: string): string {
  const [, , , ...rest] = address.split('/')
  return ['', host.includes(':') ? 'ip6' : 'ip4', host, ...rest].join('/')
}

/** The canonical form of an IP address, IPv4 for an IPv4-mapped IPv6 address; names stay unchanged. */
export function canonicalHost(host: string): string {
  if (!host.includes(':')) return host
  try {
    const canonical = new URL(`http://[${host.replace(/%.*$/, '')}]`).hostname.slice(1, -1)
    const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(canonical)
    if (mapped === null) return canonical
    const [high, low] = [Number.parseInt(mapped[1] ?? '0', 16), Number.parseInt(mapped[2] ?? '0', 16)]
    return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  } catch {
    return host
  }
}

/** The smallest network that one party controls: an IPv4 address, or the /64 of an IPv6 address. */
export function networkOf(host: string): string {
  return host.includes(':') ? groupsOf(host).slice(0, 4).join(':') : host
}

/** All addresses that one site may have: an IPv4 address, or the /56 of an IPv6 address. Takes a canonical host. */
export function siteOf(host: string): string {
  if (!host.includes(':')) return host
  const [a, b, c, last = '0'] = groupsOf(host)
  return `${a}:${b}:${c}:${(Number.parseInt(last, 16) & 0xff00).toString(16)}::/56`
}

/** The eight groups of an IPv6 address. */
function groupsOf(host: string): string[] {
  const [head = '', tail = ''] = host.split('::')
  const [first, last] = [head, tail].map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: 8 }, () => '0')
  return [...(first ?? []), ...zeros.slice((first?.length ?? 0) + (last?.length ?? 0)), ...(last ?? [])]
}

export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** Whether only this machine can reach the host. Takes a canonical host, and not every name that begins with `127.`. */
export function isLoopback(host: string): boolean {
  return /^127(\.\d{1,3}){3}$/.test(host) || host === '::1' || host === 'localhost'
}

/** An address that is not globally unique: private, carrier-grade NAT, or unique local. */
export function isPrivate(host: string): boolean {
  return /^(10|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.|^f[cd][0-9a-f]{2}:/i.test(host)
}

export function isLinkLocal(host: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(host) || host.startsWith('169.254.')
}

/** The host at which a peer observes this node; undefined over a relay, where the peer observes the relay. */
export function observedHost({ address, observed }: Pick<ConnectionInfo, 'address' | 'observed'>): string | undefined {
  return observed === undefined || parseAddress(address).isRelayed ? undefined : parseAddress(observed).host
}

function withoutZone(address: string): string {
  return address.replace(/^\/ip6zone\/[^/]+/, '')
}

function transportOf(names: string): string {
  if (names === 'udp/quic-v1') return 'quic'
  return names
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

/** Removes only the last peer id: a relayed address contains the relay's as well. */
export function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '')
}

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
