import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'

/** `own`: it is the identity of this node. */
export function emitIdentityConflict(of: {
  readonly peer: string
  readonly name: string
  readonly instances: readonly string[]
  readonly addresses: readonly string[]
  readonly isOwn: boolean
}): SpanEffect {
  return emitSpan('mesh.identity.conflict', {
    'mesh.peer.id': of.peer,
    'mesh.peer.name': of.name,
    'mesh.identity.instances': of.instances,
    'mesh.identity.addresses': of.addresses,
    'mesh.identity.own': of.isOwn,
  })
}
