import type { Multiaddr } from '@multiformats/multiaddr'
import { parseAddress } from '../core/address.ts'

/** libp2p's `addresses.announceFilter`: identify and `getMultiaddrs()` return its result. */
type Filter = (addresses: Multiaddr[]) => Multiaddr[]

/**
 * A filter that returns the mesh's own list, once it exists, instead of libp2p's. Relayed addresses stay: digests leave
 * them out, but other libp2p peers can use a relay reservation of the application.
 */
export interface AnnounceFilter extends Filter {
  meshAddresses: readonly Multiaddr[] | undefined
}

/** For `createLibp2p`: the mesh service finds the filter there and updates its list. */
export function announceFilter(): AnnounceFilter {
  const filter: AnnounceFilter = Object.assign(
    (addresses: Multiaddr[]) => withRelayed(filter.meshAddresses ?? addresses, addresses),
    { meshAddresses: undefined },
  )
  return filter
}

function withRelayed(list: readonly Multiaddr[], addresses: readonly Multiaddr[]): Multiaddr[] {
  const relayed = addresses.filter((address) => parseAddress(address.toString()).isRelayed)
  return [...list, ...relayed.filter((one) => !list.some((other) => other.equals(one)))]
}

/**
 * The announce filter of this libp2p. libp2p has no getter, so this reads the field; without it the mesh announces the
 * same addresses in digests, and identify keeps libp2p's list.
 */
export function filterOf(addressManager: object): Filter | AnnounceFilter | undefined {
  const { announceFilter: filter } = addressManager as { announceFilter?: unknown }
  return typeof filter === 'function' ? (filter as Filter) : undefined
}

export function isMeshFilter(filter: Filter | AnnounceFilter | undefined): filter is AnnounceFilter {
  return filter !== undefined && 'meshAddresses' in filter
}
