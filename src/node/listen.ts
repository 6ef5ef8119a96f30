import { networkInterfaces } from 'node:os'

/** Whether this machine has any IPv6 address; in many containers it has none, and listening there fails. */
export function hasIpv6(interfaces = networkInterfaces()): boolean {
  return Object.values(interfaces).some((addresses) => addresses?.some(({ family }) => family === 'IPv6'))
}

/** Of the addresses to listen at those that can be meant: `/ip6/::` asks for whatever IPv6 there is, and that may be none. */
export function usableListenAddresses(listen: readonly string[], ipv6 = hasIpv6()): string[] {
  return listen.filter((address) => ipv6 || !address.startsWith('/ip6/::/'))
}
