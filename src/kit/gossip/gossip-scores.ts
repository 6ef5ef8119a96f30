import type { Grudge, Penalties } from '../../core/grudges.ts'
import type { Clock } from '../../core/machine.ts'
import type { GossipInternals, PeerStats } from './gossip-internals.ts'

/** Copies, so that no grudge keeps gossipsub's own objects; undefined without penalties. */
export function penaltiesOf({ behaviourPenalty, topics }: PeerStats): Penalties | undefined {
  const penalised = Object.entries(topics).flatMap(([topic, stats]) => {
    const { meshFailurePenalty: meshFailures, invalidMessageDeliveries: invalidMessages } = stats
    return meshFailures + invalidMessages > 0 ? [[topic, { meshFailures, invalidMessages }] as const] : []
  })
  if (behaviourPenalty <= 0 && penalised.length === 0) return undefined
  return { behaviour: behaviourPenalty, topics: Object.fromEntries(penalised) }
}

/** Topics in which this node may not graft the peer yet, each with the monotonic time of its end. */
export function backoffsOf({ backoff }: GossipInternals, peer: string, clock: Clock): Readonly<Record<string, number>> {
  // Gossipsub counts in Unix milliseconds.
  const offset = clock.now() - clock.wall()
  const backoffs = Array.from(backoff, ([topic, peers]) => [topic, peers.get(peer)] as const)
  return Object.fromEntries(backoffs.flatMap(([topic, end]) => (end === undefined ? [] : [[topic, end + offset]])))
}

/** Adds to the entries of a peer that gossipsub has just created. */
export function restoreGrudge(
  { score, backoff }: GossipInternals,
  peer: string,
  { penalties, backoffs }: Pick<Grudge, 'penalties' | 'backoffs'>,
  clock: Clock,
): void {
  const stats = score.peerStats.get(peer)
  if (stats !== undefined && penalties !== undefined) {
    stats.behaviourPenalty += penalties.behaviour
    for (const [topic, { meshFailures, invalidMessages }] of Object.entries(penalties.topics))
      stats.topics[topic] = { ...noStats, meshFailurePenalty: meshFailures, invalidMessageDeliveries: invalidMessages }
    score.scoreCache.delete(peer)
  }
  const offset = clock.wall() - clock.now()
  for (const [topic, until] of Object.entries(backoffs)) {
    const peers = backoff.get(topic) ?? new Map<string, number>()
    peers.set(peer, Math.max(peers.get(peer) ?? 0, until + offset))
    backoff.set(topic, peers)
  }
}

const noStats = {
  inMesh: false,
  graftTime: 0,
  meshTime: 0,
  firstMessageDeliveries: 0,
  meshMessageDeliveries: 0,
  meshMessageDeliveriesActive: false,
}
