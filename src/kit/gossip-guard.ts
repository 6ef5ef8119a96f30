import type { Connection } from '@libp2p/interface'
import type { NetworkEffect, NetworkEvent } from '../core/events.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import type { PubSub } from './components.ts'
import type { Connections } from './connections.ts'
import { gossipInternals } from './gossip-internals.ts'
import { type AgentLimit, rpcLimit, smallestLimit } from './gossip-limits.ts'
import { GossipStreams } from './gossip-streams.ts'
import { UnsentReports } from './unsent-reports.ts'

export interface GossipGuardOptions {
  readonly owner: Owner
  readonly clock: Clock
  readonly deliver: (event: NetworkEvent) => void
  /** Override the defaults for these agents. */
  readonly limits?: readonly AgentLimit[] | undefined
  /** Agent version of a peer, by identify. */
  readonly agentOf: (peer: string) => string | undefined
  /** A gossipsub stream opened or ended. */
  readonly onChange: () => void
}

/** Creates the guard for the streams of a pubsub; undefined if it is no js gossipsub. */
export function guardGossip(pubsub: PubSub | undefined, options: GossipGuardOptions): GossipStreams | undefined {
  const gossip = pubsub && gossipInternals(pubsub)
  if (gossip === undefined) return undefined
  const { owner, clock, deliver, limits, agentOf, onChange } = options
  const unsentReports = new UnsentReports(owner, deliver)
  return new GossipStreams({
    gossip,
    owner,
    clock,
    limitOf: (peer) => rpcLimit(agentOf(peer), limits),
    smallestLimit: smallestLimit(limits),
    onUnsent: (message) => unsentReports.add(message),
    onChange,
  })
}

/**
 * Ends the streams that block a heal: those that gossipsub does not read, or all of them if the other side has to open
 * its own, which it does when it sees a new stream. Returns the connection on which to run identify next.
 */
export function clearForHeal(
  streams: GossipStreams | undefined,
  connections: Connections,
  { connection: id, lack }: Extract<NetworkEffect, { do: 'heal' }>,
): Connection | undefined {
  const connection = connections.find(id)?.connection
  if (connection === undefined) return undefined
  const all = connections.connectionsTo(connection.remotePeer)
  if (lack === 'no-inbound' || lack === 'no-subscription') streams?.reset(connection.remotePeer, all)
  else streams?.resetUnread(all)
  return connection
}
