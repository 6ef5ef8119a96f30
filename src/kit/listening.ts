import { isWildcard, parseAddress, withHost } from '../core/address.ts'

/** What is asked of one of libp2p's listeners: where it listens, wildcards expanded. */
interface Listener {
  getAddrs(): readonly { toString(): string }[]
}

/**
 * Where the transports listen, with real ports. Listeners say wildcards as a list of interface addresses, and QUIC's
 * list is as old as its module: so a listener of a configured wildcard is told as that wildcard, and expanded anew.
 */
export function listeningAddresses(configured: readonly string[], listeners: readonly Listener[]): string[] {
  const lists = listeners.map((listener) => listener.getAddrs().map(String))
  // A listener that knew no interface when it was made names no address, but the configured port may be known.
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

/** Port 0 asks for any port. */
function matches(configured: string, actual: string): boolean {
  const [expected, found] = [parseAddress(configured), parseAddress(actual)]
  return expected.host === found.host && (expected.port === 0 || expected.port === found.port)
}
