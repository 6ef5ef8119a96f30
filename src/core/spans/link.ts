import { ageBand } from '../../catalogue/bands.ts'
import { emitSpan, type Placement, type SpanEffect } from '../../catalogue/span-effect.ts'
import { networkPeer } from '../address.ts'
import type { UnsentGossip } from '../events.ts'
import type { CloseReason } from '../frames.ts'
import type { GossipLack, RepairStep } from '../gossip-repair.ts'
import type { Link } from '../link.ts'
import type { RefusalReason } from '../refusals.ts'
import type { AwaitedStream } from '../stream-check.ts'
import type { SurvivorRule } from '../survivor.ts'
import type { TraceRef } from '../trace.ts'

export function connectionAttributes(peer: string, { connection }: Link) {
  return { 'mesh.connection.id': connection, 'mesh.peer.id': peer }
}

function linkAttributes(peer: string, link: Link) {
  return {
    'mesh.link.id': link.id,
    ...connectionAttributes(peer, link),
    'mesh.peer.name': link.hello?.name ?? '',
  }
}

function openedSpanLinks(link: Link): readonly TraceRef[] {
  return link.openedSpan === undefined ? [] : [link.openedSpan]
}

/** `parent` is the dialler’s opened span on the listener, null on the dialler. `refusal`: why the ledger refused it. */
export function emitConnectionOpened(
  peer: string,
  link: Link,
  ref: TraceRef,
  parent: TraceRef | null,
  refusal?: RefusalReason,
): SpanEffect {
  const { info } = link
  const attributes = {
    ...connectionAttributes(peer, link),
    'mesh.connection.direction': info.direction,
    'mesh.connection.address': info.address,
    'mesh.connection.transport': info.transport,
    ...networkPeer(info.address),
    ...(refusal !== undefined && { 'mesh.refusal.reason': refusal }),
  }
  return emitSpan('mesh.connection.opened', link.id === '' ? attributes : { ...attributes, 'mesh.link.id': link.id }, {
    ref,
    parent,
    since: link.openedAt,
    kind: info.direction === 'outbound' ? 'client' : 'server',
  })
}

export function emitHelloReceived(peer: string, link: Link, parent: TraceRef): SpanEffect {
  return emitSpan(
    'mesh.hello.received',
    {
      ...linkAttributes(peer, link),
      'mesh.peer.role': link.hello?.role ?? 'guest',
      'mesh.peer.incarnation': link.hello?.incarnation ?? 0,
    },
    { parent },
  )
}

export function emitConnectionGuest(peer: string, link: Link): SpanEffect {
  return emitSpan('mesh.connection.guest', connectionAttributes(peer, link), underOpenedSpan(link))
}

export function emitIdentifyRetried(peer: string, link: Link, retry: number): SpanEffect {
  const attributes = { ...connectionAttributes(peer, link), 'mesh.identify.retry': retry }
  return emitSpan('mesh.identify.retried', attributes, underOpenedSpan(link))
}

export function underOpenedSpan({ openedSpan: parent }: Link): Placement {
  return parent === undefined ? {} : { parent }
}

export function emitLinkRefused(peer: string, link: Link, reason: CloseReason, why: string): SpanEffect {
  const attributes = { ...connectionAttributes(peer, link), 'mesh.close.reason': reason, 'mesh.error.message': why }
  return emitSpan('mesh.link.refused', attributes, underOpenedSpan(link))
}

export function emitFrameRefused(peer: string, link: Link, reason: string): SpanEffect {
  return emitSpan('mesh.frame.refused', { ...connectionAttributes(peer, link), 'mesh.frame.reason': reason })
}

export function emitGoodbyeSent(peer: string, link: Link, reason: CloseReason, ref: TraceRef): SpanEffect {
  const attributes = { ...linkAttributes(peer, link), 'mesh.goodbye.reason': reason }
  return emitSpan('mesh.goodbye.sent', attributes, { ref, parent: null, links: openedSpanLinks(link) })
}

/** `sent`: the other end’s goodbye span; `parent` differs if the goodbyes crossed. */
export function emitGoodbyeReceived(
  peer: string,
  link: Link,
  reason: CloseReason,
  sent: TraceRef,
  parent: TraceRef = sent,
): SpanEffect {
  const attributes = { ...linkAttributes(peer, link), 'mesh.goodbye.reason': reason }
  const links = parent === sent ? openedSpanLinks(link) : [...openedSpanLinks(link), sent]
  return emitSpan('mesh.goodbye.received', attributes, { parent, links })
}

export function emitConnectionClosed(peer: string, link: Link, now: number): SpanEffect {
  const ageMs = now - link.openedAt
  const ending = link.ending
  return emitSpan(
    'mesh.connection.closed',
    {
      ...linkAttributes(peer, link),
      'mesh.connection.kind': link.kind,
      'mesh.connection.age_ms': Math.round(ageMs),
      'mesh.connection.age_band': ageBand(ageMs),
      'mesh.close.reason': ending?.reason ?? 'transport',
      'mesh.close.by': ending?.by ?? 'transport',
      'mesh.close.noticed': (ending?.goodbye ?? 'none') !== 'none',
    },
    { parent: ending?.trace ?? null, links: openedSpanLinks(link) },
  )
}

export function emitConnectionSuperseded(peer: string, link: Link, winner: Link, rule: SurvivorRule): SpanEffect {
  return emitSpan(
    'mesh.connection.superseded',
    { ...linkAttributes(peer, link), 'mesh.link.survivor': winner.id, 'mesh.link.rule': rule },
    { parent: link.openedSpan ?? null, links: openedSpanLinks(winner) },
  )
}

/** `count`: refused connections without a span of their own. */
export function emitConnectionsRefused(reason: RefusalReason, count: number): SpanEffect {
  return emitSpan('mesh.connection.refused', { 'mesh.refusal.reason': reason, 'mesh.refusal.count': count })
}

type Healed = Extract<RepairStep, { do: 'healed' }>

export function emitGossipHealed(peer: string, link: Link, { lack, heals, tookMs }: Healed): SpanEffect {
  const attributes = {
    ...connectionAttributes(peer, link),
    'mesh.gossip.lack': lack,
    'mesh.gossip.heals': heals,
    'mesh.gossip.lacked_ms': tookMs,
  }
  return emitSpan('mesh.gossip.healed', attributes, underOpenedSpan(link))
}

/** `closes`: the node closes the connection because of it. */
export function emitGossipMute(peer: string, link: Link, lack: GossipLack, heals: number, closes: boolean): SpanEffect {
  const attributes = {
    ...connectionAttributes(peer, link),
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

/** `aborts`: the node aborts the connection. */
export function emitConnectionWedged(peer: string, link: Link, awaited: AwaitedStream, aborts: boolean): SpanEffect {
  const attributes = {
    ...connectionAttributes(peer, link),
    'mesh.connection.transport': link.info.transport,
    'mesh.connection.kind': link.kind,
    'mesh.wedge.protocol': awaited.protocol,
    'mesh.wedge.waited_ms': awaited.waitedMs,
    'mesh.wedge.aborts': aborts,
  }
  return emitSpan('mesh.connection.wedged', attributes, { links: openedSpanLinks(link) })
}
