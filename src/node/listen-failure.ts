import { MeshError } from '../core/errors.ts'

/** What libp2p throws when it cannot listen at some of the addresses, whatever the reason. */
const listenErrorName = /^UnsupportedListenAddress(es)?Error$/

/** What libp2p says when it cannot listen, as an error that names the setting. Any other error is left as it is. */
export function toListenError(error: unknown, listen: readonly string[]): unknown {
  // It has named its setting already: the port that is taken need not be one of these.
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

/** Of an error and of all behind it: libp2p wraps what the transports say. */
function allMessages(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const nested = error instanceof AggregateError ? error.errors.map(allMessages) : []
  return [error.message, ...nested, error.cause === undefined ? '' : allMessages(error.cause)].join('\n')
}
