import type { AttributesOf } from '../catalogue/span-effect.ts'

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
