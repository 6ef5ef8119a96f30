import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import type { LimitName } from '../limits.ts'

export type LimitAction = 'refused' | 'closed' | 'evicted'

export function emitLimitReached(limit: LimitName, value: number, action: LimitAction, peer?: string): SpanEffect {
  return emitSpan('mesh.limit.reached', {
    'mesh.limit.name': limit,
    'mesh.limit.value': value,
    'mesh.limit.action': action,
    ...(peer !== undefined && { 'mesh.peer.id': peer }),
  })
}
