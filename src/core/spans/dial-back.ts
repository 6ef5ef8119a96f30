import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import { parseAddress } from '../address.ts'
import type { DialBackOutcome } from '../dial-back-address.ts'

export function emitDialBack(of: {
  readonly side: 'asker' | 'responder'
  readonly outcome: DialBackOutcome
  readonly peer: string
  readonly address: string
  /** Set by the responder only. */
  readonly errorType: string
}): SpanEffect {
  const { host, port, transport } = parseAddress(of.address)
  return emitSpan('mesh.address.dialback', {
    'mesh.dialback.side': of.side,
    'mesh.dialback.outcome': of.outcome,
    'mesh.peer.id': of.peer,
    'network.peer.address': host,
    'network.peer.port': port,
    'network.transport': transport === 'tcp' ? 'tcp' : 'udp',
    ...(of.errorType === '' ? {} : { 'error.type': of.errorType }),
  })
}
