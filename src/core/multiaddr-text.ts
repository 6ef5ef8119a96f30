/** Multiaddrs as texts, for rules that compare them; the kit parses those that it dials. */

/** Only the peer id at the end goes: a relayed address names the relay's as well. */
export function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '')
}
