import { ageBands, sizeBands } from './bands.ts'
import { registrySizes } from './registries.ts'
import { roles } from './roles.ts'

/** A tuple of strings is an enumeration: it bounds its own cardinality. */
export type AttributeType = 'string' | 'int' | 'double' | 'boolean' | 'string[]' | readonly string[]

export interface AttributeSpec {
  readonly type: AttributeType
  readonly brief: string
}

/** How far a dial came before it failed. */
export const dialStages = ['resolve', 'dial', 'handshake', 'identify'] as const

/** Why a link was ended, by whoever ended it. */
export const closeReasons = [
  'stopping',
  'superseded',
  'silent',
  'foreign-mesh',
  'bad-frame',
  'flooding',
  'limit',
  'duplicate',
  'gossip-mute',
  'transport',
  'unknown',
] as const

/**
 * Attributes, declared once; spans refer to them by name. Those not in `mesh.` are of OpenTelemetry's semantic
 * conventions 1.41, units included: https://opentelemetry.io/docs/specs/semconv/registry/attributes/ and, for `process`,
 * `v8js` and `nodejs`, the names of its metrics.
 */
export const attributes = {
  'mesh.seq': {
    type: 'int',
    brief: 'Counts every span that leaves this (node, incarnation), from 1: a gap is a lost span.',
  },
  'mesh.node.name': { type: 'string', brief: 'Configured name of a node.' },
  'mesh.node.role': { type: roles, brief: 'Role of the node.' },
  'mesh.node.incarnation': {
    type: 'int',
    brief: 'Higher at every start of this identity: a count of starts, or the second of the start.',
  },
  'mesh.node.instance': {
    type: 'string',
    brief: 'Drawn at random by each process: tells two processes of one identity apart.',
  },
  'mesh.node.settings': {
    type: 'string[]',
    brief:
      'Process settings that were not as recommended, a second version of the OpenTelemetry API, and faults that it has on purpose.',
  },
  'mesh.node.uptime_ms': { type: 'int', brief: 'Milliseconds since the node started.' },
  'mesh.node.stop_cause': { type: 'string', brief: 'What asked for the stop: a signal or "requested".' },
  'mesh.step.name': { type: 'string', brief: 'Closing step.' },
  'mesh.step.error': { type: 'string', brief: 'What went wrong in the step; empty when nothing did.' },
  'mesh.step.duration_ms': { type: 'int', brief: 'Milliseconds the step took.' },
  'mesh.window.seq': { type: 'int', brief: 'Windows of this node so far, from 1.' },
  'mesh.address.announced': {
    type: 'string[]',
    brief: 'Multiaddrs that this node announces in digests and in identify, the most useful first.',
  },
  'mesh.address.added': { type: 'string[]', brief: 'Announced now, not before.' },
  'mesh.address.removed': { type: 'string[]', brief: 'Announced before, not now.' },
  'mesh.address.withheld': {
    type: 'string[]',
    brief: 'Own addresses that are not announced, each with the reason; at most 32, link-local ones left out.',
  },
  'mesh.address.cut': { type: 'int', brief: 'How many of these had no room in the digest.' },
  'mesh.dialback.side': {
    type: ['asker', 'responder'],
    brief: 'Whether this node asked to be dialled, or dialled.',
  },
  'mesh.dialback.outcome': {
    type: ['reachable', 'unreachable', 'refused', 'no-answer'],
    brief:
      'What the dial found; "refused" when the neighbour did not dial, "no-answer" when it said nothing. The reason of a failure is on the responder’s span.',
  },
  'mesh.peer.id': { type: 'string', brief: 'Peer id of the other node.' },
  'mesh.peer.name': { type: 'string', brief: 'Name the other node gives itself; empty for a guest.' },
  'mesh.peer.role': { type: [...roles, 'guest'], brief: 'Role the other node gives itself, or guest.' },
  'mesh.peer.incarnation': { type: 'int', brief: 'Incarnation of the other node.' },
  'mesh.seed.address': { type: 'string', brief: 'Multiaddr of the seed, as configured.' },
  'mesh.seed.attempt': { type: 'int', brief: 'Attempts of this campaign so far, from 1.' },
  'mesh.seed.addresses': { type: 'string[]', brief: 'Addresses tried in this attempt, names resolved.' },
  'mesh.seed.delay_ms': { type: 'int', brief: 'Milliseconds until the next attempt.' },
  'mesh.seed.elapsed_ms': { type: 'int', brief: 'Milliseconds since the campaign began.' },
  'mesh.seed.campaign': { type: 'int', brief: 'Campaigns for this seed so far, from 1.' },
  'mesh.seed.cause': {
    type: ['start', 'alone', 'lost', 'periodic'],
    brief: 'Why a campaign began: at the start, no peer is left, the last peer was lost, or it was time again.',
  },
  'mesh.seed.others': { type: 'int', brief: 'Configured seeds that are not known to be this node itself.' },
  'mesh.path.unreachable': { type: 'string[]', brief: 'Addresses of the peer that did not answer.' },
  'mesh.path.reached_by': { type: 'string', brief: 'Address at which the peer is reached.' },
  'mesh.path.restored': { type: 'string[]', brief: 'Addresses that did not answer before, and do now.' },
  'mesh.identity.instances': {
    type: 'string[]',
    brief: 'Processes that run with one identity at the same time, by their `mesh.node.instance`.',
  },
  'mesh.identity.addresses': { type: 'string[]', brief: 'Where each of these processes was heard from.' },
  'mesh.identity.own': { type: 'boolean', brief: 'Whether it is this node’s own identity.' },
  'mesh.dial.addresses': { type: 'string[]', brief: 'Addresses tried, names resolved.' },
  'mesh.dial.failures': {
    type: 'int',
    brief: 'Failed dials of this member in a row, this one included; a link that it ended soon counts too.',
  },
  'mesh.dial.delay_ms': {
    type: 'int',
    brief: 'Milliseconds before which this node does not dial it again; then only if it still wants links.',
  },
  'mesh.dial.stage': { type: dialStages, brief: 'How far the attempt came.' },
  'error.type': { type: 'string', brief: 'Class or code of the failure.' },
  'mesh.error.message': { type: 'string', brief: 'The failure in words, cut at 256 characters.' },
  'mesh.link.id': { type: 'string', brief: 'Shared by both ends: dialler, its incarnation and its link counter.' },
  'mesh.connection.id': { type: 'string', brief: 'This end’s id of the connection.' },
  'mesh.connection.direction': { type: ['inbound', 'outbound'], brief: 'Seen from this end.' },
  'mesh.connection.address': { type: 'string', brief: 'Remote multiaddr.' },
  'mesh.connection.transport': { type: ['quic', 'tcp', 'memory', 'other'], brief: 'Transport of the connection.' },
  'server.address': { type: 'string', brief: 'Host of the seed as configured: a name or an IP address.' },
  'server.port': { type: 'int', brief: 'Port of the seed as configured.' },
  'network.peer.address': {
    type: 'string',
    brief:
      'IP address of the other end; of a relayed connection the relay’s; of a failed dial the one that `error.type` is about.',
  },
  'network.peer.port': { type: 'int', brief: 'Port of the other end.' },
  'network.transport': { type: ['tcp', 'udp'], brief: 'Transport protocol that carries the connection.' },
  'network.protocol.name': { type: ['quic'], brief: 'Protocol above the transport, where it is QUIC.' },
  'mesh.connection.kind': { type: ['member', 'guest', 'unsettled'], brief: 'What the other side turned out to be.' },
  'mesh.connection.age_ms': { type: 'int', brief: 'Milliseconds the connection was open.' },
  'mesh.connection.age_band': { type: ageBands, brief: 'Band of that age.' },
  'mesh.close.reason': { type: closeReasons, brief: 'Why it ended.' },
  'mesh.close.by': { type: ['us', 'them', 'transport'], brief: 'Who ended it.' },
  'mesh.close.noticed': {
    type: 'boolean',
    brief: 'Whether a goodbye was sent or received; one that was only sent may not have arrived.',
  },
  'mesh.gossip.heals': { type: 'int', brief: 'Heals that were tried in a row, the last one included.' },
  'mesh.gossip.lack': {
    type: ['waiting', 'stuck', 'missing', 'no-inbound', 'no-subscription'],
    brief:
      'What gossipsub lacked: its own stream to the peer (also while it was busy, or stuck, opening streams), the peer’s, or its SUBSCRIBE.',
  },
  'mesh.gossip.lacked_ms': { type: 'int', brief: 'Milliseconds from when that was first seen.' },
  'mesh.gossip.closes': { type: 'boolean', brief: 'Whether the connection is closed for it.' },
  'mesh.gossip.reason': {
    type: ['size', 'backlog'],
    brief:
      'The message is larger than the neighbour takes, or too much waits already for a neighbour that reads slowly.',
  },
  'mesh.gossip.bytes': { type: 'int', brief: 'Bytes of the RPC with that message alone, or that wait already.' },
  'mesh.gossip.limit': { type: 'int', brief: 'Bytes allowed.' },
  'mesh.gossip.count': {
    type: 'int',
    brief: 'Messages not sent to a neighbour since the span before, this one included.',
  },
  'mesh.identify.retry': { type: 'int', brief: 'Retries on this connection, from 1.' },
  'mesh.goodbye.reason': { type: closeReasons, brief: 'Reason named in a goodbye.' },
  'mesh.link.survivor': { type: 'string', brief: 'Link id that stays.' },
  'mesh.link.rule': {
    type: ['incarnation', 'counter', 'lower-peer', 'newer', 'incumbent'],
    brief:
      'What decided which link stays; "newer" for guests, which have no hello; "incumbent" for two processes of one identity.',
  },
  'mesh.pruned.count': { type: 'int', brief: 'Members found stale in this sweep.' },
  'mesh.pruned.peers': { type: 'string[]', brief: 'Who they are, at most 32.' },
  'mesh.pruned.remaining': { type: 'int', brief: 'Members that remain.' },
  'mesh.pruned.remaining_band': { type: sizeBands, brief: 'Band of that number.' },
  'mesh.pruned.suspended': { type: 'boolean', brief: 'The judge had slept and expired nobody.' },
  'mesh.member.silence_ms': { type: 'int', brief: 'Milliseconds since something newer was received.' },
  'mesh.member.window_ms': { type: 'int', brief: 'Milliseconds of silence that this member is allowed.' },
  'mesh.member.via': { type: ['link', 'gossip'], brief: 'Way on which the digest came.' },
  'mesh.registry.name': { type: 'string', brief: 'Registry.' },
  'mesh.registry.owner': { type: 'string', brief: 'Who owns it.' },
  'mesh.registry.size': { type: 'int', brief: 'Entries now.' },
  'mesh.registry.size_band': { type: sizeBands, brief: 'Band of that number.' },
  ...registrySizes,
  'mesh.registry.capacity': { type: 'int', brief: 'Most entries it may hold.' },
  'mesh.registry.high': { type: 'int', brief: 'Most entries it ever held.' },
  'mesh.registry.added': { type: 'int', brief: 'Entries ever added.' },
  'mesh.registry.released': { type: 'int', brief: 'Entries ever released, for any reason.' },
  'mesh.registry.replaced': { type: 'int', brief: 'Entries released because another took their key.' },
  'mesh.registry.removed': { type: 'int', brief: 'Entries released because they were removed.' },
  'mesh.registry.expired': { type: 'int', brief: 'Entries released because nothing refreshed them.' },
  'mesh.registry.evicted': { type: 'int', brief: 'Entries released because the bound was met.' },
  'mesh.registry.closed': { type: 'int', brief: 'Entries released because their owner closed.' },
  'mesh.registry.oldest_band': { type: ageBands, brief: 'Band of the oldest entry’s age.' },
  'mesh.audit.peers': { type: 'int', brief: 'Peers in the ledger.' },
  'mesh.audit.members': { type: 'int', brief: 'Members in the digest view.' },
  'mesh.audit.links': { type: 'int', brief: 'Links with a hello from both ends.' },
  'mesh.audit.guests': { type: 'int', brief: 'Connected peers without hello.' },
  'mesh.audit.connections': { type: 'int', brief: 'Connections that libp2p holds.' },
  'mesh.audit.streams': { type: 'int', brief: 'Streams over all of them.' },
  'mesh.audit.gossip_peers': { type: 'int', brief: 'Peers that gossipsub knows.' },
  'mesh.audit.peer_store': { type: 'int', brief: 'Records in libp2p’s peer store.' },
  'mesh.audit.sockets': { type: 'int', brief: 'Sockets of the process.' },
  'mesh.audit.timers': { type: 'int', brief: 'Timers of the process.' },
  'mesh.audit.frames_in': { type: 'int', brief: 'Frames received so far.' },
  'mesh.audit.frames_out': { type: 'int', brief: 'Frames sent so far.' },
  'mesh.audit.frames_refused': { type: 'int', brief: 'Frames, and digests over gossip, refused so far.' },
  'mesh.audit.sweeps': { type: 'int', brief: 'Sweeps over the members so far.' },
  'mesh.audit.verdict': {
    type: ['consistent', 'differs'],
    brief: 'Whether the layers agree on how many connections there are.',
  },
  'process.memory.usage': { type: 'int', brief: 'Resident memory, bytes.' },
  'v8js.memory.heap.used': { type: 'int', brief: 'JavaScript heap in use, bytes.' },
  'process.cpu.time': { type: 'double', brief: 'CPU seconds since the process began, user and system, all threads.' },
  'nodejs.eventloop.delay.p99': {
    type: 'double',
    brief: 'Event-loop delay since the last census, 99th percentile, seconds.',
  },
  'nodejs.eventloop.delay.max': { type: 'double', brief: 'Event-loop delay since the last census, longest, seconds.' },
  'mesh.telemetry.queued': { type: 'int', brief: 'Spans waiting for the receiver.' },
  'mesh.telemetry.lost_total': { type: 'int', brief: 'Spans lost since the start.' },
  'mesh.telemetry.sampled_out': { type: 'int', brief: 'Routine spans that did not leave the node, since the start.' },
  'mesh.invariant': {
    type: ['connections-in-ledger', 'one-link-per-pair', 'registry-bound'],
    brief: 'Which invariant is broken.',
  },
  'mesh.expected': { type: 'int', brief: 'What it should have been.' },
  'mesh.actual': { type: 'int', brief: 'What it was.' },
  'mesh.suspect.reason': { type: ['unowned', 'superseded-open', 'unsettled-old'], brief: 'Why it is suspect.' },
  'mesh.limit.name': { type: 'string', brief: 'Which bound (a name in the limits table).' },
  'mesh.limit.value': { type: 'int', brief: 'The bound.' },
  'mesh.limit.action': { type: ['refused', 'evicted', 'closed'], brief: 'What was done.' },
  'messaging.system': { type: ['libp2p_gossipsub'], brief: 'What carries messages.' },
  'messaging.operation.type': { type: ['send', 'process'], brief: 'Kind of operation on a message.' },
  'messaging.operation.name': {
    type: ['publish', 'forward', 'deliver'],
    brief: 'The operation: publishing, forwarding into another mesh, delivery to a subscriber.',
  },
  'messaging.destination.name': { type: 'string', brief: 'Topic, under OpenTelemetry’s name.' },
  'messaging.message.id': { type: 'string', brief: 'Message id, under OpenTelemetry’s name.' },
  'messaging.message.body.size': { type: 'int', brief: 'Payload bytes, under OpenTelemetry’s name.' },
  'mesh.message.topic': { type: 'string', brief: 'Topic.' },
  'mesh.message.id': { type: 'string', brief: 'Message id: origin and sequence number.' },
  'mesh.message.bytes': { type: 'int', brief: 'Payload bytes.' },
  'mesh.message.hops': { type: 'int', brief: 'Bridges passed so far.' },
  'mesh.message.recipients': { type: 'int', brief: 'Peers the first hop went to.' },
  'mesh.message.lateness_ms': {
    type: 'int',
    brief: 'Receiver’s wall clock less the publisher’s: the way it took, and off by whatever the two clocks differ.',
  },
  'mesh.request.topic': { type: 'string', brief: 'Topic of the request.' },
  'mesh.request.bytes': { type: 'int', brief: 'Bytes of the request, without its header.' },
  'mesh.response.bytes': { type: 'int', brief: 'Bytes of the answer.' },
  'mesh.bridge.from': { type: 'string', brief: 'Mesh a message came from.' },
  'mesh.bridge.to': { type: 'string', brief: 'Mesh it goes to.' },
  'mesh.bridge.rank': { type: 'int', brief: 'Place of this bridge for the origin; 0 acts at once.' },
  'mesh.bridge.reason': {
    type: ['seen', 'hop-limit', 'bad-signature', 'other-bridge', 'limit'],
    brief: 'Why a message did not cross here.',
  },
  'mesh.origin.peer': { type: 'string', brief: 'Peer that published the message.' },
  'mesh.frame.reason': { type: 'string', brief: 'What was wrong with a frame.' },
  'mesh.clock.skew_ms': { type: 'int', brief: 'The peer’s clock less ours.' },
  'mesh.clock.allowed_ms': { type: 'int', brief: 'Skew that is tolerated.' },
  'mesh.stall.slept_ms': { type: 'int', brief: 'Milliseconds this node did not run.' },
  'mesh.stall.suspended_ms': { type: 'int', brief: 'Milliseconds for which it expires nobody.' },
  'mesh.resource.name': {
    type: ['descriptors', 'system-descriptors', 'socket-memory', 'memory'],
    brief: 'What ran out; system-descriptors are those of the whole machine.',
  },
  'mesh.resource.operation': { type: ['open', 'dial', 'accept'], brief: 'What failed first.' },
  'mesh.resource.operations': { type: 'string[]', brief: 'What failed.' },
  'mesh.resource.failures': { type: 'int', brief: 'Failures that were seen, probes of the node included.' },
  'mesh.resource.exhausted_ms': { type: 'int', brief: 'Milliseconds from the first failure to the last.' },
  'mesh.lost.count': { type: 'int', brief: 'Spans that never left, since this was last told.' },
  'mesh.lost.where': { type: ['ring', 'refused', 'exit'], brief: 'Where they were lost.' },
} as const satisfies Record<string, AttributeSpec>

export type AttributeName = keyof typeof attributes
