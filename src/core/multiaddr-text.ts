/** Multiaddrs as texts, for rules that compare them; the kit parses those that it dials. */

export function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '')
}
