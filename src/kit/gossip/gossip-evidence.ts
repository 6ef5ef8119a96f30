import { GhostWatch } from '../../core/ghost-watch.ts'
import type { CensusPart, CensusSource } from '../../evidence/census.ts'
import type { GossipHealth } from './gossip-health.ts'
import { countPeers, gossipSizes, mostTopics } from './gossip-tables.ts'

/** Milliseconds after which a ghost is the sweep's fault: it removes one within two sweeps, 6 s. */
const overdueMs = 15_000

/** Counts gossipsub's tables. Besides the peers, a topic can leak: one that the application subscribed to on its own. */
export class GossipEvidence implements CensusSource {
  readonly name = 'gossipsub'
  readonly #health: GossipHealth
  readonly #meshTopics: () => readonly string[]
  /** Its own one: the sweep's says nothing if the sweep does not run. */
  readonly #watch = new GhostWatch(overdueMs)

  constructor(health: GossipHealth, meshTopics: () => readonly string[]) {
    this.#health = health
    this.#meshTopics = meshTopics
  }

  read(now: number): CensusPart {
    const { gossip, counts } = this.#health
    const sizes = gossipSizes(gossip)
    const most = mostTopics(gossip)
    const meshTopics = new Set(this.#meshTopics())
    const ghosts = this.#health.findGhosts()
    const overdue = this.#watch.check(ghosts, now)
    const connected = countPeers(gossip) - ghosts.size
    return {
      attributes: {
        'mesh.audit.gossip.subscriptions': sizes.subscriptions,
        'mesh.audit.gossip.other_subscriptions': gossip.subscriptions.difference(meshTopics).size,
        'mesh.audit.gossip.topics': sizes.topics,
        'mesh.audit.gossip.most_topics': most?.topics ?? 0,
        ...(most && { 'mesh.audit.gossip.most_topics_peer': most.peer }),
        'mesh.audit.gossip.mesh': sizes.mesh,
        'mesh.audit.gossip.fanout': sizes.fanout,
        'mesh.audit.gossip.backoff': sizes.backoff,
        'mesh.audit.gossip.streams_in': sizes.streamsIn,
        'mesh.audit.gossip.streams_out': sizes.streamsOut,
        'mesh.audit.gossip.scores': sizes.scores,
        'mesh.audit.gossip.score_cache': sizes.scoreCache,
        'mesh.audit.gossip.peer_ips': sizes.peerIps,
        'mesh.audit.gossip.promises': sizes.promises,
        'mesh.audit.gossip.seen': sizes.seen,
        'mesh.audit.gossip.cached': sizes.cached,
        'mesh.audit.gossip.cached_bytes': sizes.cachedBytes,
        'mesh.audit.gossip.deliveries': sizes.deliveries,
        'mesh.audit.gossip.ghosts': ghosts.size,
        'mesh.audit.gossip.swept_total': counts.swept,
        'mesh.audit.gossip.restored_total': counts.restored,
        'mesh.audit.gossip.late_total': counts.lateRpcs,
      },
      invariants: [
        {
          name: 'gossip-peers-connected',
          owner: this.name,
          expected: connected,
          actual: connected + overdue.size,
          isBroken: overdue.size > 0,
          ids: [...overdue],
        },
      ],
    }
  }
}
