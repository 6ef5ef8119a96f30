/** Multiaddrs as texts, for rules that compare them; the kit parses those that it dials. */

export function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '')
}

/** `/ip4/10.0.0.1`, or the same of a name. */
export function hostOf(address: string): string {
  return address.split('/').slice(0, 3).join('/')
}

/** Every machine has such an address of its own. */
export function isLocalHost(host: string): boolean {
  return /^\/(?:ip4\/127\.|ip4\/169\.254\.|ip6\/(?:::1$|fe80:))/.test(host)
}
