import { networkInterfaces } from 'node:os'
import { MeshError } from '../core/errors.ts'

/** Whether this machine has an IPv6 address. Many containers have none, and listening on IPv6 fails there. */
export function hasIpv6(interfaces = networkInterfaces()): boolean {
  return Object.values(interfaces).some((addresses) => addresses?.some(({ family }) => family === 'IPv6'))
}

/** Drops `/ip6/::` where the machine has no IPv6. An IPv6 address that is named stays, and listening on it fails. */
export function usableListenAddresses(listen: readonly string[], ipv6 = hasIpv6()): string[] {
  return listen.filter((address) => ipv6 || !address.startsWith('/ip6/::/'))
}

/** Name of the error that libp2p throws when it cannot listen on some addresses, for any reason. */
const listenErrorName = /^UnsupportedListenAddress(es)?Error$/

/** Turns libp2p's error about listening into one that names the setting. Returns any other error unchanged. */
export function toListenError(error: unknown, listen: readonly string[]): unknown {
  // A MeshError names its setting already: the port in use may belong to another setting.
  if (error instanceof MeshError) return error
  const text = allMessages(error)
  const key = 'MESH_LISTEN (--listen)'
  const address = listen.find((one) => text.includes(one)) ?? listen.join(', ')
  if (/EADDRINUSE|address (already )?in use/i.test(text)) {
    return new MeshError('MESH_PORT_TAKEN', { key, address }, { cause: error })
  }
  const isListenError = error instanceof Error && listenErrorName.test(error.name)
  if (!isListenError && !/EADDRNOTAVAIL|EACCES|EAFNOSUPPORT/.test(text)) return error
  const expected = 'addresses of this machine, with ports that this user may open'
  return new MeshError('MESH_CONFIG_INVALID', { key, given: address, expected }, { cause: error })
}

/** The messages of an error, its causes and its parts: libp2p wraps the errors of the transports. */
function allMessages(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const nested = error instanceof AggregateError ? error.errors.map(allMessages) : []
  return [error.message, ...nested, error.cause === undefined ? '' : allMessages(error.cause)].join('\n')
}
