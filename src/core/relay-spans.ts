import { emitSpan, type Placement, type SpanEffect } from '../catalogue/span-effect.ts'
import type { Crossing } from './events.ts'
import { limits } from './limits.ts'
import { messagingAttributes } from './messaging.ts'

/** A message on its way between the two meshes of a bridge. */
export interface Passage {
  readonly from: string
  readonly to: string
  /** Place of this bridge for the origin. */
  readonly rank: number
  readonly crossing: Crossing
}

export type DropReason = 'seen' | 'hop-limit' | 'bad-signature' | 'other-bridge' | 'limit'

/** Of a message whose seal is broken only this much is known, and that as claimed. */
export type DroppedMessage = Pick<Crossing, 'id' | 'origin' | 'trace'>

/** `crossing` is as it was heard: the hop made here is added. */
export function emitForwarded({ from, to, rank, crossing }: Passage): SpanEffect {
  const attributes = {
    'mesh.bridge.from': from,
    'mesh.bridge.to': to,
    'mesh.bridge.rank': rank,
    'mesh.message.id': crossing.id,
    'mesh.message.topic': crossing.topic,
    'mesh.message.hops': crossing.hops + 1,
    'mesh.origin.peer': crossing.origin,
    ...messagingAttributes('send', 'forward', crossing.topic, crossing.id),
  }
  return emitSpan('mesh.bridge.forwarded', attributes, publishLink(crossing))
}

export function emitDropped(reason: DropReason, from: string, to: string, message: DroppedMessage): SpanEffect {
  const attributes = {
    'mesh.bridge.from': from,
    'mesh.bridge.to': to,
    'mesh.bridge.reason': reason,
    'mesh.message.id': message.id,
    'mesh.origin.peer': message.origin,
  }
  return emitSpan('mesh.bridge.dropped', attributes, publishLink(message))
}

export function emitRelayLimit(limit: 'relayWaiting' | 'relayWaitingBytes'): SpanEffect {
  return emitSpan('mesh.limit.reached', {
    'mesh.limit.name': limit,
    'mesh.limit.value': limits[limit],
    'mesh.limit.action': 'refused',
  })
}

/** Hops are linked to the publishing, not its children, or one trace would gather all that ever crossed. */
function publishLink({ trace }: Pick<Crossing, 'trace'>): Place {
  return trace === undefined ? {} : { links: [trace] }
}
