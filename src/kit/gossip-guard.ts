import type { NetworkEvent } from '../core/events.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import type { PubSub } from './components.ts'
import { gossipInternals } from './gossip-internals.ts'
import { type AgentLimit, rpcLimit, smallestLimit } from './gossip-limits.ts'
import { GossipStreams } from './gossip-streams.ts'
import { UnsentReports } from './unsent-reports.ts'

export interface GossipGuardOptions {
  readonly owner: Owner
  readonly clock: Clock
  readonly deliver: (event: NetworkEvent) => void
  /** In place of the defaults for these agents. */
  readonly limits?: readonly AgentLimit[] | undefined
  /** Agent version of a peer, by identify. */
  readonly agentOf: (peer: string) => string | undefined
  /** A stream of gossipsub's was opened or has ended. */
  readonly changed: () => void
}

/** A guard for the streams of a pubsub, to be started; undefined when it is no js gossipsub. */
export function guardGossip(pubsub: PubSub | undefined, options: GossipGuardOptions): GossipStreams | undefined {
  const gossip = pubsub && gossipInternals(pubsub)
  if (gossip === undefined) return undefined
  const { owner, clock, deliver, limits, agentOf, changed } = options
  const unsent = new UnsentReports(owner, deliver)
  return new GossipStreams({
    gossip,
    owner,
    clock,
    limitOf: (peer) => rpcLimit(agentOf(peer), limits),
    smallestLimit: smallestLimit(limits),
    unsent: (message) => unsent.add(message),
    changed,
  })
}
