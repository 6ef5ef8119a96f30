import type { MeshNode } from '../core/mesh-node.ts'
import type { Owner } from '../core/owner.ts'
import type { CensusPart, CensusSource } from '../evidence/census.ts'
import { limitEvidence } from '../evidence/limit-evidence.ts'
import { linkEvidence, type OpenConnection } from '../evidence/link-evidence.ts'
import { listenerEvidence, type ProcessReaders, processEvidence } from '../evidence/process-evidence.ts'
import { registryEvidence } from '../evidence/registry-evidence.ts'
import { seedEvidence } from '../evidence/seed-evidence.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { ApplicationRegistries } from './application-registries.ts'
import type { PubSub, TracemeshComponents } from './components.ts'
import { ListenerTargetReader } from './connections/listener-targets.ts'
import { streamEvidence } from './connections/stream-evidence.ts'
import { GossipEvidence } from './gossip/gossip-evidence.ts'
import type { GossipHealth } from './gossip/gossip-health.ts'
import type { Libp2pNetwork } from './libp2p-network.ts'
import { readTables } from './libp2p-tables.ts'
import type { Admission } from './limits/admission.ts'
import type { Dht } from './peer-store/dht-table.ts'

interface CensusParts {
  readonly owner: Owner
  readonly node: MeshNode
  readonly network: Libp2pNetwork
  readonly components: TracemeshComponents
  readonly pubsub: PubSub | undefined
  /** Undefined without js gossipsub. */
  readonly gossipHealth: GossipHealth | undefined
  /** Topics of gossipsub that the mesh has subscribed to. */
  readonly meshTopics: () => readonly string[]
  readonly dht: { readonly table: Dht['routingTable']; readonly isUseless: () => boolean } | undefined
  readonly peerStore: (now: number) => CensusPart | Promise<CensusPart>
  readonly telemetry: Telemetry
  /** Undefined if the node has no limits on its libp2p. */
  readonly limitUsage: () => ReturnType<Admission['usage']> | undefined
  readonly application: ApplicationRegistries
  readonly process: ProcessReaders
  /** Unix milliseconds. */
  readonly wall: () => number
}

/** The layers of a node, in the order in which the census reads them. */
export function censusSources(parts: CensusParts): readonly CensusSource[] {
  const { owner, node, components, pubsub, gossipHealth, meshTopics, telemetry, application, wall } = parts
  const listenerTargets = new ListenerTargetReader(components, pubsub, owner)
  return [
    { name: 'links', read: (now) => linkEvidence(node.ledger, openConnections(parts), now) },
    { name: 'limits', read: () => limitsEvidence(parts) },
    { name: 'mesh', read: () => meshEvidence(parts) },
    { name: 'seeds', read: (now) => seedEvidence(node.seeds.seeds(), now) },
    { name: 'registries', read: () => registryEvidence(owner.inventory()) },
    { name: 'application', read: () => application.evidence() },
    { name: 'libp2p', read: () => libp2pEvidence(parts) },
    { name: 'peer store', read: parts.peerStore },
    { name: 'streams', read: () => streamEvidence(components.connectionManager.getConnections(), wall()) },
    ...(gossipHealth === undefined ? [] : [new GossipEvidence(gossipHealth, meshTopics)]),
    { name: 'process', read: (now) => processEvidence(parts.process, now) },
    { name: 'listeners', read: (now) => listenerEvidence(listenerTargets.read(now)) },
    { name: 'telemetry', read: () => telemetryEvidence(telemetry) },
  ]
}

/** The ledger does not have the connections that the mesh left to the application. */
function openConnections({ components, network, wall }: CensusParts): readonly OpenConnection[] {
  return components.connectionManager
    .getConnections()
    .filter(({ id }) => !network.isLeftToApp(id))
    .map(({ id, remotePeer, remoteAddr, direction, timeline, limits }) => ({
      id,
      peer: remotePeer.toString(),
      ageMs: Math.max(0, wall() - timeline.open),
      direction,
      address: remoteAddr.toString(),
      isRelayed: limits !== undefined,
    }))
}

function limitsEvidence({ node, limitUsage }: CensusParts): CensusPart {
  const { mostPerAddress, mostPerPeer, ...usage } = limitUsage() ?? {}
  const perScope = { connectionsPerAddress: mostPerAddress, linksPerPeer: mostPerPeer }
  const inForce = node.options.limitList ?? []
  return limitEvidence({ refusals: node.limitCounts, usage: { ...usage, ...perScope }, inForce })
}

function meshEvidence({ node, network }: CensusParts): CensusPart {
  const counters = network.counters()
  const frames = Object.values(counters?.frames ?? {})
  return {
    attributes: {
      'mesh.audit.peers': node.ledger.size,
      'mesh.audit.members': node.view.members().length,
      'mesh.audit.frames_in': frames.reduce((sum, count) => sum + count.in, 0),
      'mesh.audit.frames_out': frames.reduce((sum, count) => sum + count.out, 0),
      'mesh.audit.frames_refused': (counters?.framesRefused ?? 0) + (counters?.gossipRefused ?? 0) + node.framesRefused,
      'mesh.audit.sweeps': node.view.sweeps,
    },
  }
}

async function libp2pEvidence({ components, pubsub, dht }: CensusParts): Promise<CensusPart> {
  return {
    attributes: {
      'mesh.audit.gossip_peers': pubsub?.getPeers().length ?? 0,
      ...(dht && { 'mesh.audit.dht_rt': dht.table.size, 'mesh.audit.dht_useless': dht.isUseless() }),
      ...(await readTables(components)),
    },
  }
}

function telemetryEvidence({ stats: { queued, lostTotal, sampledOut } }: Telemetry): CensusPart {
  return {
    attributes: {
      'mesh.telemetry.queued': queued,
      'mesh.telemetry.lost_total': lostTotal,
      'mesh.telemetry.sampled_out': sampledOut,
    },
  }
}
