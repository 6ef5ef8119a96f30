import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import type { UnsentGossip } from '../events.ts'
import type { GossipLack, RepairStep } from '../gossip-repair.ts'
import type { Link } from '../link.ts'
import { underOpenedSpan } from './link.ts'

type Healed = Extract<RepairStep, { do: 'healed' }>

export function emitGossipHealed(peer: string, link: Link, { lack, heals, tookMs }: Healed): SpanEffect {
  const attributes = {
    'mesh.connection.id': link.connection,
    'mesh.peer.id': peer,
    'mesh.gossip.lack': lack,
    'mesh.gossip.heals': heals,
    'mesh.gossip.lacked_ms': tookMs,
  }
  return emitSpan('mesh.gossip.healed', attributes, underOpenedSpan(link))
}

/** `closes`: the node closes the connection because of it. */
export function emitGossipMute(peer: string, link: Link, lack: GossipLack, heals: number, closes: boolean): SpanEffect {
  const attributes = {
    'mesh.connection.id': link.connection,
    'mesh.peer.id': peer,
    'mesh.gossip.lack': lack,
    'mesh.gossip.heals': heals,
    'mesh.gossip.closes': closes,
  }
  return emitSpan('mesh.gossip.mute', attributes, underOpenedSpan(link))
}

export function emitGossipUnsent({ peer, reason, topic, bytes, limit, count }: UnsentGossip): SpanEffect {
  return emitSpan('mesh.gossip.unsent', {
    'mesh.peer.id': peer,
    'mesh.gossip.reason': reason,
    'mesh.message.topic': topic,
    'mesh.gossip.bytes': bytes,
    'mesh.gossip.limit': limit,
    'mesh.gossip.count': count,
  })
}
