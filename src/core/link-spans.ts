import { ageBand } from '../catalogue/bands.ts'
import { type Place, type Tell, tell } from '../catalogue/tell.ts'
import type { UnsentGossip } from './events.ts'
import type { CloseReason } from './frames.ts'
import type { GossipLack, RepairStep } from './gossip-repair.ts'
import type { Link } from './link.ts'
import { networkPeer } from './network-peer.ts'
import type { SurvivorRule } from './survivor.ts'
import type { TraceRef } from './trace.ts'

/** What every span about a link names. */
function named(peer: string, link: Link) {
  return {
    'mesh.link.id': link.id,
    'mesh.connection.id': link.connection,
    'mesh.peer.id': peer,
    'mesh.peer.name': link.hello?.name ?? '',
  }
}

function birthLinks(link: Link): readonly TraceRef[] {
  return link.birth === undefined ? [] : [link.birth]
}

/** `parent` is the dialler’s opened span on the listener, null on the dialler. */
export function tellOpened(peer: string, link: Link, ref: TraceRef, parent: TraceRef | null): Tell {
  const { fact } = link
  const attributes = {
    'mesh.connection.id': link.connection,
    'mesh.peer.id': peer,
    'mesh.connection.direction': fact.direction,
    'mesh.connection.address': fact.address,
    'mesh.connection.transport': fact.transport,
    ...networkPeer(fact.address),
  }
  return tell('mesh.connection.opened', link.id === '' ? attributes : { ...attributes, 'mesh.link.id': link.id }, {
    ref,
    parent,
    since: link.openedAt,
    kind: fact.direction === 'outbound' ? 'client' : 'server',
  })
}

export function tellHello(peer: string, link: Link, parent: TraceRef): Tell {
  return tell(
    'mesh.hello.received',
    {
      ...named(peer, link),
      'mesh.peer.role': link.hello?.role ?? 'guest',
      'mesh.peer.incarnation': link.hello?.incarnation ?? 0,
    },
    { parent },
  )
}

export function tellGuest(peer: string, link: Link): Tell {
  const attributes = { 'mesh.connection.id': link.connection, 'mesh.peer.id': peer }
  return tell('mesh.connection.guest', attributes, underBirth(link))
}

type Healed = Extract<RepairStep, { do: 'healed' }>

export function tellHealed(peer: string, link: Link, { lack, heals, tookMs }: Healed): Tell {
  const attributes = {
    'mesh.connection.id': link.connection,
    'mesh.peer.id': peer,
    'mesh.gossip.lack': lack,
    'mesh.gossip.heals': heals,
    'mesh.gossip.lacked_ms': tookMs,
  }
  return tell('mesh.gossip.healed', attributes, underBirth(link))
}

/** `closes`: the connection is closed for it. */
export function tellMute(peer: string, link: Link, lack: GossipLack, heals: number, closes: boolean): Tell {
  const attributes = {
    'mesh.connection.id': link.connection,
    'mesh.peer.id': peer,
    'mesh.gossip.lack': lack,
    'mesh.gossip.heals': heals,
    'mesh.gossip.closes': closes,
  }
  return tell('mesh.gossip.mute', attributes, underBirth(link))
}

export function tellIdentifyRetried(peer: string, link: Link, retry: number): Tell {
  const attributes = {
    'mesh.connection.id': link.connection,
    'mesh.peer.id': peer,
    'mesh.identify.retry': retry,
  }
  return tell('mesh.identify.retried', attributes, underBirth(link))
}

function underBirth({ birth }: Link): Place {
  return birth === undefined ? {} : { parent: birth }
}

export function tellRefused(peer: string, link: Link, reason: CloseReason, why: string): Tell {
  return tell(
    'mesh.link.refused',
    {
      'mesh.connection.id': link.connection,
      'mesh.peer.id': peer,
      'mesh.close.reason': reason,
      'mesh.error.message': why,
    },
    link.birth === undefined ? {} : { parent: link.birth },
  )
}

export function tellGoodbyeSent(peer: string, link: Link, reason: CloseReason, ref: TraceRef): Tell {
  const attributes = { ...named(peer, link), 'mesh.goodbye.reason': reason }
  return tell('mesh.goodbye.sent', attributes, { ref, parent: null, links: birthLinks(link) })
}

/** `sent`: the other end’s span of saying it; `parent` is another when ours counts. */
export function tellGoodbyeReceived(
  peer: string,
  link: Link,
  reason: CloseReason,
  sent: TraceRef,
  parent: TraceRef = sent,
): Tell {
  const attributes = { ...named(peer, link), 'mesh.goodbye.reason': reason }
  const links = parent === sent ? birthLinks(link) : [...birthLinks(link), sent]
  return tell('mesh.goodbye.received', attributes, { parent, links })
}

export function tellClosed(peer: string, link: Link, now: number): Tell {
  const ageMs = now - link.openedAt
  const ending = link.ending
  return tell(
    'mesh.connection.closed',
    {
      ...named(peer, link),
      'mesh.connection.kind': link.kind,
      'mesh.connection.age_ms': Math.round(ageMs),
      'mesh.connection.age_band': ageBand(ageMs),
      'mesh.close.reason': ending?.reason ?? 'transport',
      'mesh.close.by': ending?.by ?? 'transport',
      'mesh.close.noticed': (ending?.goodbye ?? 'none') !== 'none',
    },
    { parent: ending?.trace ?? null, links: birthLinks(link) },
  )
}

export function tellSuperseded(peer: string, link: Link, stays: Link, rule: SurvivorRule): Tell {
  return tell(
    'mesh.connection.superseded',
    { ...named(peer, link), 'mesh.link.survivor': stays.id, 'mesh.link.rule': rule },
    { parent: link.birth ?? null, links: birthLinks(stays) },
  )
}

export function tellUnsent({ peer, reason, topic, bytes, limit, count }: UnsentGossip): Tell {
  return tell('mesh.gossip.unsent', {
    'mesh.peer.id': peer,
    'mesh.gossip.reason': reason,
    'mesh.message.topic': topic,
    'mesh.gossip.bytes': bytes,
    'mesh.gossip.limit': limit,
    'mesh.gossip.count': count,
  })
}
