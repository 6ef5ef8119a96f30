import { type AttributesOf, emitSpan, type Placement, type SpanEffect } from '../../catalogue/span-effect.ts'
import type { Crossing } from '../events.ts'

/** A message that crosses from one mesh of a bridge to the other. */
export interface Passage {
  readonly from: string
  readonly to: string
  /** Rank of this bridge for the origin. */
  readonly rank: number
  readonly crossing: Crossing
}

export type DropReason = 'seen' | 'hop-limit' | 'bad-signature' | 'other-bridge' | 'limit'

/** The fields available for a message with an invalid seal, as the message claims them. */
export type DroppedMessage = Pick<Crossing, 'id' | 'origin' | 'trace'>

/** `crossing` is the received message; the span counts this bridge's hop too. */
export function emitBridgeForwarded({ from, to, rank, crossing }: Passage): SpanEffect {
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

export function emitBridgeDropped(reason: DropReason, from: string, to: string, message: DroppedMessage): SpanEffect {
  const attributes = {
    'mesh.bridge.from': from,
    'mesh.bridge.to': to,
    'mesh.bridge.reason': reason,
    'mesh.message.id': message.id,
    'mesh.origin.peer': message.origin,
  }
  return emitSpan('mesh.bridge.dropped', attributes, publishLink(message))
}

/** Hops link to the publish span instead of being its children, which would make one trace grow with every hop. */
function publishLink({ trace }: Pick<Crossing, 'trace'>): Placement {
  return trace === undefined ? {} : { links: [trace] }
}

type Messaging = Pick<
  AttributesOf<'mesh.bridge.forwarded'>,
  Extract<keyof AttributesOf<'mesh.bridge.forwarded'>, `messaging.${string}`>
>

/** OpenTelemetry messaging attributes of a message. */
export function messagingAttributes(
  type: Messaging['messaging.operation.type'],
  name: Messaging['messaging.operation.name'],
  topic: string,
  id: string,
): Messaging {
  return {
    'messaging.system': 'libp2p_gossipsub',
    'messaging.operation.type': type,
    'messaging.operation.name': name,
    'messaging.destination.name': topic,
    'messaging.message.id': id,
  }
}
