import type { AttributeSpec, OptionalLevel } from './attribute-spec.ts'
import { closeReasons, refusalReasons } from './bands.ts'
import { registrySizes } from './registries.ts'

type ClosedName = `mesh.audit.closed.${(typeof closeReasons)[number]}`

const closedByReason = Object.fromEntries(
  closeReasons.map((reason): [ClosedName, AttributeSpec] => [
    `mesh.audit.closed.${reason}`,
    { type: 'int', unit: '1', brief: `Connections closed so far with the reason "${reason}"; absent if none.` },
  ]),
) as { readonly [N in ClosedName]: AttributeSpec & { readonly type: 'int' } }

type RefusedName = `mesh.audit.refused.${(typeof refusalReasons)[number]}`

const refusedByReason = Object.fromEntries(
  refusalReasons.map((reason): [RefusedName, AttributeSpec] => [
    `mesh.audit.refused.${reason}`,
    {
      type: 'int',
      unit: '1',
      brief: `Connections that the ledger refused so far with the reason "${reason}"; absent if none.`,
    },
  ]),
) as { readonly [N in RefusedName]: AttributeSpec & { readonly type: 'int' } }

/** The connection ledger, by state. `opened_total` less `closed_total` is the sum of the five states. */
const ledger = {
  'mesh.audit.peers': { type: 'int', unit: '1', brief: 'Peers in the ledger.' },
  'mesh.audit.members': { type: 'int', unit: '1', brief: 'Members in the digest view.' },
  'mesh.audit.links': { type: 'int', unit: '1', brief: 'Links with a hello from both ends.' },
  'mesh.audit.guests': { type: 'int', unit: '1', brief: 'Links whose peer sends no hello.' },
  'mesh.audit.unsettled': { type: 'int', unit: '1', brief: 'Connections without a hello yet.' },
  'mesh.audit.draining': { type: 'int', unit: '1', brief: 'Connections that another link of their pair superseded.' },
  'mesh.audit.closing': { type: 'int', unit: '1', brief: 'Connections that are closing.' },
  'mesh.audit.opened_total': { type: 'int', unit: '1', brief: 'Connections that entered the ledger so far.' },
  'mesh.audit.closed_total': { type: 'int', unit: '1', brief: 'Connections that left the ledger so far.' },
  ...closedByReason,
  'mesh.audit.refused_total': {
    type: 'int',
    unit: '1',
    brief: 'Connections that the ledger refused so far; `mesh.audit.limits` has those refused before it.',
  },
  ...refusedByReason,
  'mesh.audit.limits': {
    type: 'string[]',
    brief:
      'Limits that refused something so far and scopes in use, as `name refusals usage/limit`, most refusals first; `usage` is - where none is counted, and that of the fullest peer or address.',
  },
  'mesh.audit.suspects': {
    type: 'int',
    unit: '1',
    brief: 'Connections that should be closed, those without a span included.',
  },
  'mesh.audit.connections': {
    type: 'int',
    unit: '1',
    brief: 'Open connections in libp2p, except those left to the application.',
  },
  'mesh.audit.frames_in': { type: 'int', unit: '1', brief: 'Frames received so far.' },
  'mesh.audit.frames_out': { type: 'int', unit: '1', brief: 'Frames sent so far.' },
  'mesh.audit.frames_refused': { type: 'int', unit: '1', brief: 'Refused frames and gossip digests so far.' },
  'mesh.audit.sweeps': { type: 'int', unit: '1', brief: 'Sweeps over the members so far.' },
  'mesh.audit.seeds': {
    type: 'string[]',
    brief: 'Each seed as `address state campaign attempt/attempts next_ms`; `next_ms` is - without a due attempt.',
  },
  'mesh.audit.owned': {
    type: 'string[]',
    brief: 'Held timers, resources and child owners, as `owner kind held`; the 32 largest.',
  },
  'mesh.audit.applications': { type: 'string[]', brief: 'Each collection of the application, as `name size`.' },
  'mesh.audit.adopted_total': {
    type: 'int',
    unit: '1',
    brief: 'Timers, resources, registries and child owners adopted so far.',
  },
  'mesh.audit.released_total': { type: 'int', unit: '1', brief: 'Those released so far.' },
} as const satisfies Readonly<Record<`mesh.audit.${string}`, AttributeSpec>>

/** Tables of libp2p, which the kit reads. */
const libp2p = {
  'mesh.audit.streams': { type: 'int', unit: '1', brief: 'Streams over all connections.' },
  'mesh.audit.streams_half_closed': { type: 'int', unit: '1', brief: 'Those that one side has closed.' },
  'mesh.audit.protocols': {
    type: 'string[]',
    brief:
      'Streams by protocol, as `protocol in out half_closed oldest_s`; the 16 protocols with most streams. A stream without a protocol is still negotiating.',
  },
  'mesh.audit.gossip_peers': { type: 'int', unit: '1', brief: 'Peers in gossipsub.' },
  'mesh.audit.peer_store': { type: 'int', unit: '1', brief: 'Records in libp2p’s peer store, without the node’s own.' },
  'mesh.audit.peer_locks': { type: 'int', unit: '1', brief: 'Locks of libp2p’s peer store.' },
  'mesh.audit.dial_queue': { type: 'int', unit: '1', brief: 'Dials that libp2p runs or queues.' },
  'mesh.audit.reconnects': { type: 'int', unit: '1', brief: 'Reconnects that libp2p runs or queues.' },
  'mesh.audit.pending_in': { type: 'int', unit: '1', brief: 'Inbound connections that libp2p is upgrading.' },
  'mesh.audit.pending_out': { type: 'int', unit: '1', brief: 'Outbound connections that libp2p is upgrading.' },
  'mesh.audit.handlers': { type: 'int', unit: '1', brief: 'Protocols with a handler in libp2p’s registrar.' },
  'mesh.audit.topologies': { type: 'int', unit: '1', brief: 'Topologies in libp2p’s registrar.' },
  'mesh.audit.observed_addresses': { type: 'int', unit: '1', brief: 'Observed addresses in libp2p’s address manager.' },
  'mesh.audit.dht_rt': { type: 'int', unit: '1', brief: 'Peers in the routing table of the DHT; absent without one.' },
  'mesh.audit.dht_useless': {
    type: 'boolean',
    brief:
      'Whether the DHT server removes all addresses of this network from its answers: no peer finds another there.',
  },
} as const satisfies Readonly<Record<`mesh.audit.${string}`, AttributeSpec>>

/** Gossipsub's tables, if it is js gossipsub. */
const gossip = {
  'mesh.audit.gossip.subscriptions': { type: 'int', unit: '1', brief: 'Topics that this node subscribes to.' },
  'mesh.audit.gossip.other_subscriptions': {
    type: 'int',
    unit: '1',
    brief: 'Those of them that it did not subscribe to through the mesh.',
  },
  'mesh.audit.gossip.topics': { type: 'int', unit: '1', brief: 'Topics that connected peers subscribe to.' },
  'mesh.audit.gossip.most_topics': { type: 'int', unit: '1', brief: 'Topics of the peer that subscribes to most.' },
  'mesh.audit.gossip.most_topics_peer': { type: 'string', brief: 'Peer id of that peer; absent without topics.' },
  'mesh.audit.gossip.mesh': { type: 'int', unit: '1', brief: 'Peers in gossipsub’s meshes, over all topics.' },
  'mesh.audit.gossip.fanout': { type: 'int', unit: '1', brief: 'Peers in its fanout, over all topics.' },
  'mesh.audit.gossip.backoff': { type: 'int', unit: '1', brief: 'Peers that may not be grafted yet, over all topics.' },
  'mesh.audit.gossip.streams_in': { type: 'int', unit: '1', brief: 'Streams that gossipsub reads.' },
  'mesh.audit.gossip.streams_out': { type: 'int', unit: '1', brief: 'Streams that gossipsub writes to.' },
  'mesh.audit.gossip.scores': { type: 'int', unit: '1', brief: 'Peers with a score.' },
  'mesh.audit.gossip.score_cache': { type: 'int', unit: '1', brief: 'Cached scores.' },
  'mesh.audit.gossip.peer_ips': { type: 'int', unit: '1', brief: 'Peers by IP address.' },
  'mesh.audit.gossip.promises': { type: 'int', unit: '1', brief: 'Messages that a peer has promised.' },
  'mesh.audit.gossip.seen': {
    type: 'int',
    unit: '1',
    brief: 'Ids of seen messages; each stays for two minutes, up to three times.',
  },
  'mesh.audit.gossip.cached': {
    type: 'int',
    unit: '1',
    brief: 'Messages in the cache; each stays for five heartbeats.',
  },
  'mesh.audit.gossip.cached_bytes': { type: 'int', unit: 'By', brief: 'Their bytes.' },
  'mesh.audit.gossip.deliveries': {
    type: 'int',
    unit: '1',
    brief: 'Delivery records of messages; each stays for two minutes.',
  },
  'mesh.audit.gossip.ghosts': { type: 'int', unit: '1', brief: 'Peers in gossipsub’s tables without a connection.' },
  'mesh.audit.gossip.swept_total': { type: 'int', unit: '1', brief: 'Such peers that sweeps removed so far.' },
  'mesh.audit.gossip.restored_total': {
    type: 'int',
    unit: '1',
    brief: 'Peers so far that got their penalties or backoffs back.',
  },
  'mesh.audit.gossip.late_total': { type: 'int', unit: '1', brief: 'RPCs so far from peers without a connection.' },
} as const satisfies Readonly<Record<`mesh.audit.gossip.${string}`, AttributeSpec>>

const processUsage = {
  'process.pid': { type: 'int', unit: null, brief: 'Id of the process: another one after each restart.' },
  'process.memory.usage': { type: 'int', unit: 'By', brief: 'Resident memory, bytes.' },
  'process.cpu.time': {
    type: 'double',
    unit: 's',
    brief: 'CPU seconds of the process so far, user and system, all threads.',
  },
  'nodejs.eventloop.delay.p99': {
    type: 'double',
    unit: 's',
    brief: 'Event-loop delay since the last census, 99th percentile, seconds.',
  },
  'nodejs.eventloop.delay.max': {
    type: 'double',
    unit: 's',
    brief: 'Event-loop delay since the last census, longest, seconds.',
  },
  'v8js.memory.heap.used': { type: 'int', unit: 'By', brief: 'JavaScript heap in use, bytes.' },
  'mesh.memory.external': {
    type: 'int',
    unit: 'By',
    brief: 'Memory outside the heap that JavaScript objects hold, bytes.',
  },
  'mesh.memory.array_buffers': { type: 'int', unit: 'By', brief: 'The part of it in buffers, bytes.' },
  'mesh.memory.heap_floor': {
    type: 'int',
    unit: 'By',
    brief: 'Heap in use after the last major collection, bytes: without garbage. Absent before the first one.',
  },
  'mesh.memory.external_floor': {
    type: 'int',
    unit: 'By',
    brief: 'Memory outside the heap after the last major collection, bytes.',
  },
  'mesh.memory.major_gc_age_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds since the last major collection.' },
  'mesh.memory.major_gcs_total': { type: 'int', unit: '1', brief: 'Major collections since the start.' },
  'process.unix.file_descriptor.count': {
    type: 'int',
    unit: '1',
    brief: 'Open file descriptors. Absent, as their kinds, on a system without /proc.',
  },
  'mesh.audit.descriptors_file': { type: 'int', unit: '1', brief: 'Descriptors of files.' },
  'mesh.audit.descriptors_pipe': { type: 'int', unit: '1', brief: 'Descriptors of pipes.' },
  'mesh.audit.descriptors_other': {
    type: 'int',
    unit: '1',
    brief: 'Descriptors of devices, event queues and the like.',
  },
  'mesh.audit.sockets': {
    type: 'int',
    unit: '1',
    brief: 'Sockets of the process; on a system without /proc those that Node lists, so none of QUIC.',
  },
  'mesh.audit.sockets_udp': { type: 'int', unit: '1', brief: 'UDP sockets, QUIC’s included.' },
  'mesh.audit.sockets_tcp': { type: 'int', unit: '1', brief: 'TCP connections and listeners.' },
  'mesh.audit.sockets_unix': { type: 'int', unit: '1', brief: 'Unix sockets.' },
  'mesh.audit.timers': { type: 'int', unit: '1', brief: 'Timers that keep the process alive.' },
  'mesh.audit.timers_unref': {
    type: 'int',
    unit: '1',
    brief: 'Timers that do not keep it alive, those of Node and libraries included. Absent in an application.',
  },
} as const satisfies Readonly<Record<string, AttributeSpec>>

const listeners = {
  'mesh.audit.listeners': {
    type: 'int',
    unit: '1',
    brief: 'Listeners on libp2p’s events, gossipsub and libp2p’s listeners.',
  },
  'mesh.audit.listeners_connections': { type: 'int', unit: '1', brief: 'Listeners on connections and their streams.' },
  'mesh.audit.listeners_signals': {
    type: 'int',
    unit: '1',
    brief: 'Listeners on abort signals of owners and of libp2p, which live as long as these.',
  },
  'mesh.audit.listeners_largest': {
    type: 'int',
    unit: '1',
    brief: 'Most listeners on one event of one of these targets.',
  },
  'mesh.audit.listeners_largest_event': { type: 'string', brief: 'That target and event.' },
} as const satisfies Readonly<Record<`mesh.audit.${string}`, AttributeSpec>>

const telemetry = {
  'mesh.telemetry.queued': { type: 'int', unit: '1', brief: 'Spans in the export queue.' },
  'mesh.telemetry.lost_total': { type: 'int', unit: '1', brief: 'Spans lost since the start.' },
  'mesh.telemetry.sampled_out': { type: 'int', unit: '1', brief: 'Routine spans dropped by sampling since the start.' },
} as const satisfies Readonly<Record<`mesh.telemetry.${string}`, AttributeSpec>>

/**
 * Attributes of the census span `mesh.audit`, by the layer that is counted. All are optional: one is absent where its
 * layer does not exist, or could not be read. A source in `src/evidence` or `src/kit` has the value of each.
 */
export const censusAttributes = {
  ...ledger,
  ...libp2p,
  ...gossip,
  ...processUsage,
  ...listeners,
  ...telemetry,
  ...registrySizes,
} as const

export type CensusAttribute = keyof typeof censusAttributes

const whileAny = (names: object): Partial<Record<CensusAttribute, OptionalLevel>> =>
  Object.fromEntries(Object.keys(names).map((name) => [name, 'if there was one']))

const withMajorCollection = 'if there was a major collection'
const withProc = 'if the system has /proc'

/** Those of layers that not every node has, or that are absent while there is nothing to count. */
const conditions: Partial<Record<CensusAttribute, OptionalLevel>> = {
  ...whileAny(closedByReason),
  ...whileAny(refusedByReason),
  ...Object.fromEntries(Object.keys(gossip).map((name) => [name, 'if the pubsub is js-gossipsub'])),
  'mesh.audit.gossip.most_topics_peer': 'if a connected peer subscribes to a topic',
  'mesh.audit.dht_rt': 'if the node has a DHT',
  'mesh.audit.dht_useless': 'if the node has a DHT',
  'mesh.memory.heap_floor': withMajorCollection,
  'mesh.memory.external_floor': withMajorCollection,
  'mesh.memory.major_gc_age_ms': withMajorCollection,
  'process.unix.file_descriptor.count': withProc,
  'mesh.audit.descriptors_file': withProc,
  'mesh.audit.descriptors_pipe': withProc,
  'mesh.audit.descriptors_other': withProc,
  'mesh.audit.timers_unref': 'if the node is a process of its own',
}

/** Requirement level of each: Recommended where every node has the layer. */
export const censusLevels = Object.fromEntries(
  Object.keys(censusAttributes).map((name) => [name, conditions[name as CensusAttribute] ?? 'recommended']),
) as Readonly<Record<CensusAttribute, OptionalLevel>>
