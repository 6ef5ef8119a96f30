import dns from 'node:dns'
import { isIP } from 'node:net'
import {
  CODE_IP4,
  CODE_IP6,
  CODE_MEMORY,
  CODE_P2P_CIRCUIT,
  CODE_QUIC_V1,
  CODE_TCP,
  type Component,
  type Multiaddr,
  multiaddr,
} from '@multiformats/multiaddr'
import { withoutPeer as textWithoutPeer } from '../core/address.ts'

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

export interface ResolvedName {
  readonly address: string
  readonly family: 4 | 6
}

/** The addresses of a name; family 0 means both. Rejects when the name has none. */
export type Lookup = (name: string, family: 0 | 4 | 6) => Promise<readonly ResolvedName[]>

const families: Record<string, 0 | 4 | 6> = { dns: 0, dns4: 4, dns6: 6 }

/** The system's resolver, with hosts file and search domains. */
export const systemLookup: Lookup = async (name, family) => {
  const addresses = await dns.promises.lookup(name, { all: true, family, order: 'verbatim' })
  return addresses.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))
}

/**
 * Queries only these servers (`host` or `host:port`), A and AAAA in parallel, twice at most. `timeoutMs` is per try.
 */
export function serverLookup(servers: readonly string[], timeoutMs = 2_000): Lookup {
  return async (name, family) => {
    const resolver = new dns.promises.Resolver({ timeout: timeoutMs, tries: 2 })
    resolver.setServers(servers)
    const query = async (family: 4 | 6): Promise<ResolvedName[]> => {
      const addresses = await (family === 4 ? resolver.resolve4(name) : resolver.resolve6(name))
      return addresses.map((address) => ({ address, family }))
    }
    const answers = await Promise.allSettled(family === 0 ? [query(4), query(6)] : [query(family)])
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    if (addresses.length > 0) return addresses
    throw answers[0]?.status === 'rejected' ? answers[0].reason : new Error(`${name} has no address`)
  }
}

/**
 * Replaces the DNS name of an address by each of its IP addresses, families alternating so that a broken one costs one
 * attempt (RFC 8305 §4); returns an address without a name unchanged. QUIC in js-libp2p cannot dial a name. Each call
 * queries again: a name outlives the machine behind it. Rejects as `lookup` does.
 */
export async function resolve(address: Multiaddr, lookup: Lookup): Promise<readonly Multiaddr[]> {
  const [first, ...rest] = address.getComponents()
  const family = first === undefined ? undefined : families[first.name]
  if (first?.value === undefined || family === undefined) return [address]
  const names = isIP(first.value) === 0 ? await lookup(first.value, family) : [literal(first.value)]
  return interleave(names).map((name) => multiaddr([component(name), ...rest]))
}

function literal(address: string): ResolvedName {
  return { address, family: isIP(address) === 6 ? 6 : 4 }
}

function component({ address, family }: ResolvedName): Component {
  return family === 6
    ? { code: CODE_IP6, name: 'ip6', value: address }
    : { code: CODE_IP4, name: 'ip4', value: address }
}

function interleave(names: readonly ResolvedName[]): ResolvedName[] {
  const leading = names[0]?.family
  const first = names.filter((name) => name.family === leading)
  const second = names.filter((name) => name.family !== leading)
  return first.flatMap((name, index) => [name, ...second.slice(index, index + 1)]).concat(second.slice(first.length))
}

/** Whether a text is an address with at least one part. */
export function isMultiaddr(text: string): boolean {
  try {
    return multiaddr(text).getComponents().length > 0
  } catch {
    return false
  }
}
