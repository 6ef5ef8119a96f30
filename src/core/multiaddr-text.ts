/** Multiaddrs as text, for comparisons in the core; the kit parses the addresses that it dials. */

/** Removes only the last peer id: a relayed address contains the relay's as well. */
export function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '')
}
