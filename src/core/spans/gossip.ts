import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'

/** Most peer ids in a span. */
const maxPeers = 32

export interface GossipSweep {
  readonly peers: readonly string[]
  /** Removed entries by table. */
  readonly entries: ReadonlyMap<string, number>
  /** Peers that left with penalties or live backoffs. */
  readonly grudges: number
  /** Peers that the tables still list. */
  readonly remaining: number
}

export function emitGossipSwept({ peers, entries, grudges, remaining }: GossipSweep): SpanEffect {
  return emitSpan('mesh.gossip.swept', {
    'mesh.gossip.swept': peers.length,
    'mesh.gossip.swept_peers': peers.slice(0, maxPeers),
    'mesh.gossip.ghosts': Array.from(entries, ([table, count]) => `${table} ${count}`),
    'mesh.gossip.grudges': grudges,
    'mesh.gossip.remaining': remaining,
  })
}
