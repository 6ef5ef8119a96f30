import { MeshError } from '../core/errors.ts'

/** What libp2p says when it cannot listen, as an error that names the setting. */
export function listenFailure(error: unknown, listen: readonly string[]): unknown {
  const text = messages(error)
  const key = 'MESH_LISTEN (--listen)'
  const address = listen.find((one) => text.includes(one)) ?? listen.join(', ')
  if (/EADDRINUSE|address (already )?in use/i.test(text)) {
    return new MeshError('MESH_PORT_TAKEN', { key, address }, { cause: error })
  }
  if (!/EADDRNOTAVAIL|EACCES|EAFNOSUPPORT|listen/i.test(text)) return error
  const expected = 'addresses of this machine, with ports that this user may open'
  return new MeshError('MESH_CONFIG_INVALID', { key, given: address, expected }, { cause: error })
}

/** Of an error and of all behind it: libp2p wraps what the transports say. */
function messages(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const behind = error instanceof AggregateError ? error.errors.map(messages) : []
  return [error.message, ...behind, error.cause === undefined ? '' : messages(error.cause)].join('\n')
}
