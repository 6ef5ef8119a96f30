import type { AttributeSpec } from './attributes.ts'
import { closeReasons, refusalReasons } from './bands.ts'
import { registrySizes } from './registries.ts'

type ClosedName = `mesh.audit.closed.${(typeof closeReasons)[number]}`

const closedByReason = Object.fromEntries(
  closeReasons.map((reason): [ClosedName, AttributeSpec] => [
    `mesh.audit.closed.${reason}`,
    { type: 'int', brief: `Connections closed so far with the reason "${reason}"; absent if none.` },
  ]),
) as { readonly [N in ClosedName]: AttributeSpec & { readonly type: 'int' } }

type RefusedName = `mesh.audit.refused.${(typeof refusalReasons)[number]}`

const refusedByReason = Object.fromEntries(
  refusalReasons.map((reason): [RefusedName, AttributeSpec] => [
    `mesh.audit.refused.${reason}`,
    { type: 'int', brief: `Connections that the ledger refused so far with the reason "${reason}"; absent if none.` },
  ]),
) as { readonly [N in RefusedName]: AttributeSpec & { readonly type: 'int' } }

/** The connection ledger, by state. `opened_total` less `closed_total` is the sum of the five states. */
const ledger = {
  'mesh.audit.peers': { type: 'int', brief: 'Peers in the ledger.' },
  'mesh.audit.members': { type: 'int', brief: 'Members in the digest view.' },
  'mesh.audit.links': { type: 'int', brief: 'Links with a hello from both ends.' },
  'mesh.audit.guests': { type: 'int', brief: 'Links whose peer sends no hello.' },
  'mesh.audit.unsettled': { type: 'int', brief: 'Connections without a hello yet.' },
  'mesh.audit.draining': { type: 'int', brief: 'Connections that another link of their pair superseded.' },
  'mesh.audit.closing': { type: 'int', brief: 'Connections that are closing.' },
  'mesh.audit.opened_total': { type: 'int', brief: 'Connections that entered the ledger so far.' },
  'mesh.audit.closed_total': { type: 'int', brief: 'Connections that left the ledger so far.' },
  ...closedByReason,
  'mesh.audit.refused_total': {
    type: 'int',
    brief: 'Connections that the ledger refused so far; `mesh.audit.limits` has those refused before it.',
  },
  ...refusedByReason,
  'mesh.audit.limits': {
    type: 'string[]',
    brief:
      'Limits that refused something so far and scopes in use, as `name refusals usage/limit`, most refusals first; `usage` is - where none is counted, and that of the fullest peer or address.',
  },
  'mesh.audit.suspects': { type: 'int', brief: 'Connections that should be closed, those without a span included.' },
  'mesh.audit.connections': { type: 'int', brief: 'Open connections in libp2p, except those left to the application.' },
  'mesh.audit.frames_in': { type: 'int', brief: 'Frames received so far.' },
  'mesh.audit.frames_out': { type: 'int', brief: 'Frames sent so far.' },
  'mesh.audit.frames_refused': { type: 'int', brief: 'Refused frames and gossip digests so far.' },
  'mesh.audit.sweeps': { type: 'int', brief: 'Sweeps over the members so far.' },
  'mesh.audit.seeds': {
    type: 'string[]',
    brief: 'Each seed as `address state campaign attempt/attempts next_ms`; `next_ms` is - without a due attempt.',
  },
  'mesh.audit.owned': {
    type: 'string[]',
    brief: 'Held timers, resources and child owners, as `owner kind held`; the 32 largest.',
  },
  'mesh.audit.applications': { type: 'string[]', brief: 'Each collection of the application, as `name size`.' },
  'mesh.audit.adopted_total': { type: 'int', brief: 'Timers, resources, registries and child owners adopted so far.' },
  'mesh.audit.released_total': { type: 'int', brief: 'Those released so far.' },
} as const satisfies Readonly<Record<`mesh.audit.${string}`, AttributeSpec>>

/** Tables of libp2p, which the kit reads. */
const libp2p = {
  'mesh.audit.streams': { type: 'int', brief: 'Streams over all connections.' },
  'mesh.audit.streams_half_closed': { type: 'int', brief: 'Those that one side has closed.' },
  'mesh.audit.protocols': {
    type: 'string[]',
    brief:
      'Streams by protocol, as `protocol in out half_closed oldest_s`; the 16 protocols with most streams. A stream without a protocol is still negotiating.',
  },
  'mesh.audit.gossip_peers': { type: 'int', brief: 'Peers in gossipsub.' },
  'mesh.audit.peer_store': { type: 'int', brief: 'Records in libp2p’s peer store, without the node’s own.' },
  'mesh.audit.peer_locks': { type: 'int', brief: 'Locks of libp2p’s peer store.' },
  'mesh.audit.dial_queue': { type: 'int', brief: 'Dials that libp2p runs or queues.' },
  'mesh.audit.reconnects': { type: 'int', brief: 'Reconnects that libp2p runs or queues.' },
  'mesh.audit.pending_in': { type: 'int', brief: 'Inbound connections that libp2p is upgrading.' },
  'mesh.audit.pending_out': { type: 'int', brief: 'Outbound connections that libp2p is upgrading.' },
  'mesh.audit.handlers': { type: 'int', brief: 'Protocols with a handler in libp2p’s registrar.' },
  'mesh.audit.topologies': { type: 'int', brief: 'Topologies in libp2p’s registrar.' },
  'mesh.audit.observed_addresses': { type: 'int', brief: 'Observed addresses in libp2p’s address manager.' },
  'mesh.audit.dht_rt': { type: 'int', brief: 'Peers in the routing table of the DHT; absent without one.' },
  'mesh.audit.dht_useless': {
    type: 'boolean',
    brief:
      'Whether the DHT server removes all addresses of this network from its answers: no peer finds another there.',
  },
} as const satisfies Readonly<Record<`mesh.audit.${string}`, AttributeSpec>>

/** Gossipsub's tables, if it is js gossipsub. */
const gossip = {
  'mesh.audit.gossip.subscriptions': { type: 'int', brief: 'Topics that this node subscribes to.' },
  'mesh.audit.gossip.other_subscriptions': {
    type: 'int',
    brief: 'Those of them that it did not subscribe to through the mesh.',
  },
  'mesh.audit.gossip.topics': { type: 'int', brief: 'Topics that connected peers subscribe to.' },
  'mesh.audit.gossip.most_topics': { type: 'int', brief: 'Topics of the peer that subscribes to most.' },
  'mesh.audit.gossip.most_topics_peer': { type: 'string', brief: 'Peer id of that peer; absent without topics.' },
  'mesh.audit.gossip.mesh': { type: 'int', brief: 'Peers in gossipsub’s meshes, over all topics.' },
  'mesh.audit.gossip.fanout': { type: 'int', brief: 'Peers in its fanout, over all topics.' },
  'mesh.audit.gossip.backoff': { type: 'int', brief: 'Peers that may not be grafted yet, over all topics.' },
  'mesh.audit.gossip.streams_in': { type: 'int', brief: 'Streams that gossipsub reads.' },
  'mesh.audit.gossip.streams_out': { type: 'int', brief: 'Streams that gossipsub writes to.' },
  'mesh.audit.gossip.scores': { type: 'int', brief: 'Peers with a score.' },
  'mesh.audit.gossip.score_cache': { type: 'int', brief: 'Cached scores.' },
  'mesh.audit.gossip.peer_ips': { type: 'int', brief: 'Peers by IP address.' },
  'mesh.audit.gossip.promises': { type: 'int', brief: 'Messages that a peer has promised.' },
  'mesh.audit.gossip.seen': {
    type: 'int',
    brief: 'Ids of seen messages; each stays for two minutes, up to three times.',
  },
  'mesh.audit.gossip.cached': { type: 'int', brief: 'Messages in the cache; each stays for five heartbeats.' },
  'mesh.audit.gossip.cached_bytes': { type: 'int', brief: 'Their bytes.' },
  'mesh.audit.gossip.deliveries': { type: 'int', brief: 'Delivery records of messages; each stays for two minutes.' },
  'mesh.audit.gossip.ghosts': { type: 'int', brief: 'Peers in gossipsub’s tables without a connection.' },
  'mesh.audit.gossip.swept_total': { type: 'int', brief: 'Such peers that sweeps removed so far.' },
  'mesh.audit.gossip.restored_total': { type: 'int', brief: 'Peers so far that got their penalties or backoffs back.' },
  'mesh.audit.gossip.late_total': { type: 'int', brief: 'RPCs so far from peers without a connection.' },
} as const satisfies Readonly<Record<`mesh.audit.gossip.${string}`, AttributeSpec>>

const processUsage = {
  'process.pid': { type: 'int', brief: 'Id of the process: another one after each restart.' },
  'process.memory.usage': { type: 'int', brief: 'Resident memory, bytes.' },
  'process.cpu.time': { type: 'double', brief: 'CPU seconds of the process so far, user and system, all threads.' },
  'nodejs.eventloop.delay.p99': {
    type: 'double',
    brief: 'Event-loop delay since the last census, 99th percentile, seconds.',
  },
  'nodejs.eventloop.delay.max': { type: 'double', brief: 'Event-loop delay since the last census, longest, seconds.' },
  'v8js.memory.heap.used': { type: 'int', brief: 'JavaScript heap in use, bytes.' },
  'mesh.memory.external': { type: 'int', brief: 'Memory outside the heap that JavaScript objects hold, bytes.' },
  'mesh.memory.array_buffers': { type: 'int', brief: 'The part of it in buffers, bytes.' },
  'mesh.memory.heap_floor': {
    type: 'int',
    brief: 'Heap in use after the last major collection, bytes: without garbage. Absent before the first one.',
  },
  'mesh.memory.external_floor': {
    type: 'int',
    brief: 'Memory outside the heap after the last major collection, bytes.',
  },
  'mesh.memory.major_gc_age_ms': { type: 'int', brief: 'Milliseconds since the last major collection.' },
  'mesh.memory.major_gcs_total': { type: 'int', brief: 'Major collections since the start.' },
  'process.unix.file_descriptor.count': {
    type: 'int',
    brief: 'Open file descriptors. Absent, as their kinds, on a system without /proc.',
  },
  'mesh.audit.descriptors_file': { type: 'int', brief: 'Descriptors of files.' },
  'mesh.audit.descriptors_pipe': { type: 'int', brief: 'Descriptors of pipes.' },
  'mesh.audit.descriptors_other': { type: 'int', brief: 'Descriptors of devices, event queues and the like.' },
  'mesh.audit.sockets': {
    type: 'int',
    brief: 'Sockets of the process; on a system without /proc those that Node lists, so none of QUIC.',
  },
  'mesh.audit.sockets_udp': { type: 'int', brief: 'UDP sockets, QUIC’s included.' },
  'mesh.audit.sockets_tcp': { type: 'int', brief: 'TCP connections and listeners.' },
  'mesh.audit.sockets_unix': { type: 'int', brief: 'Unix sockets.' },
  'mesh.audit.timers': { type: 'int', brief: 'Timers that keep the process alive.' },
  'mesh.audit.timers_unref': {
    type: 'int',
    brief: 'Timers that do not keep it alive, those of Node and libraries included. Absent in an application.',
  },
} as const satisfies Readonly<Record<string, AttributeSpec>>

const listeners = {
  'mesh.audit.listeners': { type: 'int', brief: 'Listeners on libp2p’s events, gossipsub and libp2p’s listeners.' },
  'mesh.audit.listeners_connections': { type: 'int', brief: 'Listeners on connections and their streams.' },
  'mesh.audit.listeners_signals': {
    type: 'int',
    brief: 'Listeners on abort signals of owners and of libp2p, which live as long as these.',
  },
  'mesh.audit.listeners_largest': { type: 'int', brief: 'Most listeners on one event of one of these targets.' },
  'mesh.audit.listeners_largest_event': { type: 'string', brief: 'That target and event.' },
} as const satisfies Readonly<Record<`mesh.audit.${string}`, AttributeSpec>>

const telemetry = {
  'mesh.telemetry.queued': { type: 'int', brief: 'Spans in the export queue.' },
  'mesh.telemetry.lost_total': { type: 'int', brief: 'Spans lost since the start.' },
  'mesh.telemetry.sampled_out': { type: 'int', brief: 'Routine spans dropped by sampling since the start.' },
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
export const censusAttributeNames = Object.keys(censusAttributes) as CensusAttribute[]
