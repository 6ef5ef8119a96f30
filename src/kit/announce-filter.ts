import type { Multiaddr } from '@multiformats/multiaddr'
import { parseAddress } from '../core/address.ts'

/** libp2p's `addresses.announceFilter`: what it returns is what identify answers and `getMultiaddrs()` returns. */
type Filter = (addresses: Multiaddr[]) => Multiaddr[]

/**
 * A filter that returns the mesh's own list instead of libp2p's, once there is one. Relayed addresses stay: digests leave
 * them out, yet a relay's reservation that the application has made is of use to any other libp2p peer.
 */
export interface AnnounceFilter extends Filter {
  meshAddresses: readonly Multiaddr[] | undefined
}

/** For `createLibp2p`: the mesh service finds the filter there, and keeps its list current. */
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
 * The filter that this libp2p was made with. libp2p offers no getter for it, so the field is read; without it the mesh
 * announces the same addresses in digests, and identify keeps to libp2p's list.
 */
export function filterOf(addressManager: object): Filter | AnnounceFilter | undefined {
  const { announceFilter: filter } = addressManager as { announceFilter?: unknown }
  return typeof filter === 'function' ? (filter as Filter) : undefined
}

export function isMeshFilter(filter: Filter | AnnounceFilter | undefined): filter is AnnounceFilter {
  return filter !== undefined && 'meshAddresses' in filter
}
