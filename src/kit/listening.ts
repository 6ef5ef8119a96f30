import { isWildcard, parseAddress, withHost } from '../core/address.ts'

/** The addresses of one libp2p listener, wildcards expanded. */
interface Listener {
  getAddrs(): readonly { toString(): string }[]
}

/**
 * The listen addresses of the transports, with real ports. Listeners expand wildcards, and QUIC's list of interfaces
 * dates from the load of its module. So this returns the configured wildcard, and the caller expands it again.
 */
export function listeningAddresses(configured: readonly string[], listeners: readonly Listener[]): string[] {
  const lists = listeners.map((listener) => listener.getAddrs().map(String))
  // A listener that found no interface at its start has no address, but the configuration may name its port.
  const hasNameless = lists.some((list) => list.length === 0)
  const fixedPorts = configured.filter((one) => isWildcard(parseAddress(one).host) && parseAddress(one).port !== 0)
  return [
    ...new Set([...lists.flatMap((list) => listenerAddresses(configured, list)), ...(hasNameless ? fixedPorts : [])]),
  ]
}

function listenerAddresses(configured: readonly string[], addresses: readonly string[]): readonly string[] {
  const [first] = addresses
  if (first === undefined) return []
  const { family, transport, isRelayed } = parseAddress(first)
  const sameTransport = configured.filter(
    (one) => parseAddress(one).family === family && parseAddress(one).transport === transport,
  )
  const isExplicit = addresses.length === 1 && sameTransport.some((one) => matches(one, first))
  const wildcard = sameTransport.find((one) => isWildcard(parseAddress(one).host))
  const isExpanded = addresses.length > 1 || (wildcard !== undefined && !isExplicit)
  if (!isExpanded || isRelayed || (family !== 'ip4' && family !== 'ip6')) return addresses
  return [withHost(first, family === 'ip4' ? '0.0.0.0' : '::')]
}

/** Port 0 matches any port. */
function matches(configured: string, actual: string): boolean {
  const [expected, found] = [parseAddress(configured), parseAddress(actual)]
  return expected.host === found.host && (expected.port === 0 || expected.port === found.port)
}
