import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { Link } from '../core/link.ts'
import type { Clock, Random } from '../core/machine.ts'
import type { MeshNode } from '../core/mesh-node.ts'
import type { Owner } from '../core/owner.ts'
import type { TraceRef } from '../core/trace.ts'
import { censusSpans, type LedgerLink } from '../telemetry/census.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { VitalsReader } from '../telemetry/vitals.ts'
import type { PubSub, TracemeshComponents } from './components.ts'
import type { Libp2pNetwork } from './libp2p-network.ts'

interface CensusOptions {
  readonly owner: Owner
  readonly clock: Clock
  readonly random: Random
  readonly node: MeshNode
  readonly network: Libp2pNetwork
  readonly components: Pick<TracemeshComponents, 'connectionManager' | 'peerStore'>
  readonly pubsub: PubSub | undefined
  readonly telemetry: Telemetry
  readonly vitals: VitalsReader
}

/** Counts the resources of every layer. */
export async function takeCensus(options: CensusOptions, window: TraceRef | undefined): Promise<SpanEffect[]> {
  const { owner, clock, random, node, network, components, pubsub, telemetry, vitals } = options
  const now = clock.now()
  const connections = components.connectionManager.getConnections()
  const counters = network.counters()
  const frames = Object.values(counters?.frames ?? {})
  const framesRefused = (counters?.framesRefused ?? 0) + (counters?.gossipRefused ?? 0) + node.framesRefused
  const links = Array.from(node.ledger.records()).flatMap(({ peer, links }) =>
    links.map((link) => ledgerLink(peer, link, now)),
  )
  const input = {
    inventory: owner.inventory(),
    links,
    // The ledger does not have the connections that the mesh left to the application.
    connections: connections
      .filter(({ id }) => !network.isLeftToApp(id))
      .map(({ id, remotePeer, timeline }) => ({
        id,
        peer: remotePeer.toString(),
        ageMs: Math.max(0, clock.wall() - timeline.open),
      })),
    counts: {
      peers: node.ledger.size,
      members: node.view.members().length,
    },
    libp2p: {
      'mesh.audit.streams': connections.reduce((sum, { streams }) => sum + streams.length, 0),
      'mesh.audit.gossip_peers': pubsub?.getPeers().length ?? 0,
      'mesh.audit.peer_store': (await components.peerStore.all()).length,
    },
    frames: {
      in: frames.reduce((sum, count) => sum + count.in, 0),
      out: frames.reduce((sum, count) => sum + count.out, 0),
      refused: framesRefused,
    },
    sweeps: node.view.sweeps,
    vitals: vitals.read(),
    telemetry: telemetry.stats,
  }
  return censusSpans(input, window, random)
}

function ledgerLink(peer: string, link: Link, now: number): LedgerLink {
  return {
    connection: link.connection,
    peer,
    state: stateOf(link),
    ageMs: now - link.openedAt,
    stateMs: now - link.enteredAt,
    shared: link.kind === 'guest' && (link.info.isLimited === true || link.info.isForeign === true),
  }
}

function stateOf({ state, kind }: Link): LedgerLink['state'] {
  if (state === 'closing') return 'closing'
  if (state === 'draining') return 'superseded'
  if (state !== 'settled' || kind === 'unsettled') return 'unsettled'
  return kind === 'member' ? 'joined' : 'guest'
}
