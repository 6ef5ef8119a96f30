import { networkInterfaces } from 'node:os'

/** Whether this machine has an IPv6 address. Many containers have none, and listening on IPv6 fails there. */
export function hasIpv6(interfaces = networkInterfaces()): boolean {
  return Object.values(interfaces).some((addresses) => addresses?.some(({ family }) => family === 'IPv6'))
}

/** Drops `/ip6/::` where the machine has no IPv6. An IPv6 address that is named stays, and listening on it fails. */
export function usableListenAddresses(listen: readonly string[], ipv6 = hasIpv6()): string[] {
  return listen.filter((address) => ipv6 || !address.startsWith('/ip6/::/'))
}
