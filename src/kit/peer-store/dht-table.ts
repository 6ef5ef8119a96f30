import type { PeerId, PeerInfo } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'

/** An entry of the routing table. */
export interface DhtContact {
  readonly peerId: PeerId
  /** Unix milliseconds of its last answer. kad-dht does not ping it again for ten minutes. */
  lastPing: number
}

/**
 * The members of js kad-dht that the mesh uses, private ones included. Only this file names them; the start and a test
 * check `missingDhtMembers`, so another version of kad-dht fails visibly.
 */
export interface Dht {
  readonly routingTable: {
    readonly size: number
    readonly kb: { toIterable(): Iterable<DhtContact> }
    remove(peer: PeerId): Promise<void>
  }
  getMode(): 'client' | 'server'
  peerInfoMapper(info: PeerInfo): PeerInfo
}

const isFunction = (value: unknown) => typeof value === 'function'

const checks: { readonly [K in keyof Dht]: (value: never) => boolean } = {
  routingTable: (table: Partial<Dht['routingTable']> | undefined) =>
    typeof table?.size === 'number' && isFunction(table.remove) && isFunction(table.kb?.toIterable),
  getMode: isFunction,
  peerInfoMapper: isFunction,
}

/** Names of the members that a DHT lacks. */
export function missingDhtMembers(dht: object): readonly string[] {
  const parts = dht as unknown as Record<string, never>
  return Object.entries(checks).flatMap(([name, fits]) => (fits(parts[name] as never) ? [] : [name]))
}

/** The entries by peer id. kad-dht bounds them: 20 for each of 64 prefixes. */
export function tableOf({ routingTable }: Dht): Map<string, DhtContact> {
  return new Map(Array.from(routingTable.kb.toIterable(), (contact) => [contact.peerId.toString(), contact]))
}

/**
 * Whether a DHT server's mapper removes all own addresses. It then removes those of peers on the same network, too, so
 * that its table stays empty and it answers nobody, without an error. kad-dht's default does so on private networks.
 */
export function removesAllAddresses(dht: Dht, self: PeerId, own: readonly string[]): boolean {
  if (dht.getMode() !== 'server' || own.length === 0) return false
  return dht.peerInfoMapper({ id: self, multiaddrs: own.map((address) => multiaddr(address)) }).multiaddrs.length === 0
}
