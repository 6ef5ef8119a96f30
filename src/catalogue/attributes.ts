import type { AttributeSpec } from './attribute-spec.ts'
import { ageBands, closeReasons, refusalReasons, sizeBands } from './bands.ts'
import { censusAttributes } from './census.ts'
import { roles } from './roles.ts'

/** Stage at which a dial failed. */
export const dialStages = ['resolve', 'dial', 'handshake', 'identify'] as const

/**
 * Attributes, declared once; spans refer to them by name. Those outside `mesh.` follow OpenTelemetry's semantic
 * conventions 1.41, units included: https://opentelemetry.io/docs/specs/semconv/registry/attributes/ and, for
 * `process`, `v8js` and `nodejs`, the names of its metrics.
 */
export const attributes = {
  'mesh.seq': {
    type: 'int',
    unit: null,
    brief: 'Number of the span among all that this (node, incarnation) exports, from 1: a gap is a lost span.',
  },
  'mesh.node.name': { type: 'string', brief: 'Configured name of the node.' },
  'mesh.node.role': { type: roles, brief: 'Role of the node.' },
  'mesh.node.incarnation': {
    type: 'int',
    unit: null,
    brief: 'Increases at every start of this identity: a count of starts, or the Unix second of the start.',
  },
  'mesh.node.instance': {
    type: 'string',
    brief: 'Random id of each process: distinguishes two processes of one identity.',
  },
  'mesh.node.settings': {
    type: 'string[]',
    brief:
      'Process settings that differ from the recommended ones, a second version of the OpenTelemetry API, parts of the pubsub that the mesh does not know, and injected faults.',
  },
  'mesh.node.limits': {
    type: 'string[]',
    brief:
      'Limits in force that a setting changes, each as name=value; `off` for one that an application has not asked for.',
  },
  'mesh.node.caps_bytes': {
    type: 'int',
    unit: 'By',
    brief:
      'Bytes that the node holds at most when every limit is reached, beside the program itself and the messages of five seconds in gossipsub’s cache (`mesh.audit.gossip.cached_bytes`).',
  },
  'mesh.node.uptime_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds since the node started.' },
  'mesh.node.stop_cause': { type: 'string', brief: 'Cause of the stop: a signal or "requested".' },
  'mesh.stop.duration_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds from the begin of the stop to this span.' },
  'mesh.stop.expected': { type: 'string[]', brief: 'Steps that the stop should take: all that there was to close.' },
  'mesh.stop.run': { type: 'string[]', brief: 'Steps that the stop took, in their order.' },
  'mesh.stop.missing': { type: 'string[]', brief: 'Expected steps that the stop did not take.' },
  'mesh.stop.failed': { type: 'string[]', brief: 'Steps that failed or took longer than their limit.' },
  'mesh.stop.held': {
    type: 'string[]',
    brief:
      'What the node still holds: its own registries, resources and timers, and connections and listeners of libp2p.',
  },
  'mesh.stop.held_count': { type: 'int', unit: '1', brief: 'Number of these.' },
  'mesh.stop.left': {
    type: 'string[]',
    brief:
      'Handles and descriptors that the process has more than at its start, by kind: of libp2p timers that end by themselves, and of the export. Empty in a process of an application.',
  },
  'mesh.step.name': { type: 'string', brief: 'Name of the closing step.' },
  'mesh.step.error': { type: 'string', brief: 'Error of the step; empty if it succeeded.' },
  'mesh.step.duration_ms': { type: 'int', unit: 'ms', brief: 'Duration of the step, milliseconds.' },
  'mesh.window.seq': { type: 'int', unit: null, brief: 'Number of the window, from 1.' },
  'mesh.address.announced': {
    type: 'string[]',
    brief: 'Multiaddrs that this node announces in digests and identify, most useful first.',
  },
  'mesh.address.added': { type: 'string[]', brief: 'Newly announced addresses.' },
  'mesh.address.removed': { type: 'string[]', brief: 'Addresses no longer announced.' },
  'mesh.address.withheld': {
    type: 'string[]',
    brief: 'Own addresses that the node does not announce, each with the reason; at most 32, without link-local ones.',
  },
  'mesh.address.cut': {
    type: 'int',
    unit: '1',
    brief: 'Number of announced addresses that did not fit into the digest.',
  },
  'mesh.dialback.side': {
    type: ['asker', 'responder'],
    brief: 'Whether this node requested the dial-back or made it.',
  },
  'mesh.dialback.outcome': {
    type: ['reachable', 'unreachable', 'refused', 'no-answer'],
    brief:
      'Result of the dial; "refused" if the neighbour did not dial, "no-answer" if it did not respond. The responder’s span has the reason of a failure.',
  },
  'mesh.peer.id': { type: 'string', brief: 'Peer id of the other node.' },
  'mesh.peer.name': { type: 'string', brief: 'Name that the other node reports; empty for a guest.' },
  'mesh.peer.role': { type: [...roles, 'guest'], brief: 'Role that the other node reports, or guest.' },
  'mesh.peer.incarnation': { type: 'int', unit: null, brief: 'Incarnation of the other node.' },
  'mesh.seed.address': { type: 'string', brief: 'Multiaddr of the seed, as configured.' },
  'mesh.seed.attempt': { type: 'int', unit: null, brief: 'Number of the attempt within its campaign, from 1.' },
  'mesh.seed.attempts': { type: 'int', unit: '1', brief: 'Attempts that a campaign allows.' },
  'mesh.seed.addresses': { type: 'string[]', brief: 'Addresses that the attempt dialled, names resolved.' },
  'mesh.seed.delay_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds until the next attempt.' },
  'mesh.seed.elapsed_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds since the start of the campaign.' },
  'mesh.seed.campaign': { type: 'int', unit: null, brief: 'Number of the campaign for this seed, from 1.' },
  'mesh.seed.cause': {
    type: ['start', 'alone', 'lost', 'periodic'],
    brief:
      'Why the campaign began: start of the node, no peers, loss of the seed or of the last peer, or the periodic check.',
  },
  'mesh.seed.others': { type: 'int', unit: '1', brief: 'Number of configured seeds not known to be this node itself.' },
  'mesh.path.unreachable': { type: 'string[]', brief: 'Addresses of the peer that did not answer.' },
  'mesh.path.reached_by': { type: 'string', brief: 'Address at which the peer answered.' },
  'mesh.path.restored': { type: 'string[]', brief: 'Addresses that did not answer before and answer now.' },
  'mesh.identity.instances': {
    type: 'string[]',
    brief: 'Processes that run with one identity at the same time: their `mesh.node.instance`.',
  },
  'mesh.identity.addresses': { type: 'string[]', brief: 'Observed address of each of these processes.' },
  'mesh.identity.own': { type: 'boolean', brief: 'Whether the identity is this node’s own.' },
  'mesh.peerstore.mode': {
    type: ['all', 'own'],
    brief: 'Whether the sweep removes the records of all absent peers, or only the mesh’s own in an application.',
  },
  'mesh.peerstore.before': {
    type: 'int',
    unit: '1',
    brief:
      'Records before the sweep, without the node’s own, and those that went early since the last one: in an application, when more peers disconnect than the registry `disconnected` holds.',
  },
  'mesh.peerstore.judged': {
    type: 'int',
    unit: '1',
    brief: 'Records that the sweep looked at; if it took too long, the next one begins anew.',
  },
  'mesh.peerstore.removed': {
    type: 'int',
    unit: '1',
    brief: 'Records that the sweep removed, or that went early since the last one.',
  },
  'mesh.peerstore.after': { type: 'int', unit: '1', brief: 'Records after the sweep.' },
  'mesh.peerstore.probed': { type: 'int', unit: '1', brief: 'Absent peers of the DHT’s table that the sweep dialled.' },
  'mesh.peerstore.compacted': {
    type: 'int',
    unit: '1',
    brief: 'Kept records that the sweep copied out of larger buffers.',
  },
  'mesh.peerstore.errors': { type: 'int', unit: '1', brief: 'Records that the sweep could not read or remove.' },
  'mesh.peerstore.duration_ms': { type: 'int', unit: 'ms', brief: 'Duration of the sweep, milliseconds.' },
  'mesh.dial.addresses': { type: 'string[]', brief: 'Addresses that the dial tried, names resolved.' },
  'mesh.dial.failures': {
    type: 'int',
    unit: '1',
    brief: 'Consecutive failed dials of this member, this one included; a link that it closed soon counts as one.',
  },
  'mesh.dial.delay_ms': {
    type: 'int',
    unit: 'ms',
    brief: 'Milliseconds before this node may dial it again, if it still needs links.',
  },
  'mesh.dial.stage': { type: dialStages, brief: 'Stage at which the attempt failed.' },
  'error.type': { stability: 'stable', type: 'string', brief: 'Class or code of the failure.' },
  'mesh.error.message': { type: 'string', brief: 'Error message, cut at 256 characters.' },
  'mesh.link.id': { type: 'string', brief: 'Id on both ends: dialler, its incarnation and its link counter.' },
  'mesh.connection.id': { type: 'string', brief: 'Id of the connection on this end.' },
  'mesh.connection.direction': { type: ['inbound', 'outbound'], brief: 'Direction as seen from this end.' },
  'mesh.connection.address': { type: 'string', brief: 'Remote multiaddr.' },
  'mesh.connection.transport': { type: ['quic', 'tcp', 'memory', 'other'], brief: 'Transport of the connection.' },
  'server.address': {
    stability: 'stable',
    type: 'string',
    brief: 'Host of the seed as configured: a name or an IP address.',
  },
  'server.port': { stability: 'stable', type: 'int', unit: null, brief: 'Port of the seed as configured.' },
  'network.peer.address': {
    stability: 'stable',
    type: 'string',
    brief:
      'IP address of the other end; for a relayed connection that of the relay; for a failed dial the one that `error.type` refers to.',
  },
  'network.peer.port': { stability: 'stable', type: 'int', unit: null, brief: 'Port of the other end.' },
  'network.transport': { stability: 'stable', type: ['tcp', 'udp'], brief: 'Transport protocol of the connection.' },
  'network.protocol.name': {
    stability: 'stable',
    type: ['quic'],
    brief: 'Protocol above the transport, where it is QUIC.',
  },
  'mesh.connection.kind': { type: ['member', 'guest', 'unsettled'], brief: 'Kind of the peer; unsettled: unknown.' },
  'mesh.connection.age_ms': { type: 'int', unit: 'ms', brief: 'Age of the connection, milliseconds.' },
  'mesh.connection.age_band': { type: ageBands, brief: 'Band of that age.' },
  'mesh.refusal.reason': {
    type: refusalReasons,
    brief:
      'Why the ledger refused the connection: the node is full, the peer has too many connections, it has a link already, the node stops, or within the last minute it closed a link of this peer for flooding or a bad frame.',
  },
  'mesh.refusal.count': {
    type: 'int',
    unit: '1',
    brief: 'Connections refused for that reason in one second without a span of their own.',
  },
  'mesh.close.reason': { type: closeReasons, brief: 'Why the connection closed.' },
  'mesh.close.by': { type: ['us', 'them', 'transport'], brief: 'Which side closed it.' },
  'mesh.close.noticed': {
    type: 'boolean',
    brief: 'Whether the node sent or received a goodbye; one that it only sent may not have arrived.',
  },
  'mesh.listener.address': { type: 'string', brief: 'Multiaddr at which this node listens.' },
  'mesh.handshake.count': { type: 'int', unit: '1', brief: 'Number of stalled handshakes, at least.' },
  'mesh.handshake.age_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds that each of them has lasted, at least.' },
  'mesh.handshake.capacity': {
    type: 'int',
    unit: '1',
    brief: 'Handshakes in which the listener can be at once: with as many stalled ones it accepts no other peer.',
  },
  'mesh.wedge.protocol': { type: 'string', brief: 'Protocol of the stream that did not open.' },
  'mesh.wedge.waited_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds that the node waited for it.' },
  'mesh.wedge.aborts': { type: 'boolean', brief: 'Whether the node aborts the connection.' },
  'mesh.gossip.heals': { type: 'int', unit: '1', brief: 'Number of consecutive heals, the last one included.' },
  'mesh.gossip.lack': {
    type: ['waiting', 'missing', 'no-inbound', 'no-subscription'],
    brief:
      'What gossipsub lacked: its own stream to the peer (also while opening it was delayed), the peer’s stream, or the peer’s SUBSCRIBE.',
  },
  'mesh.gossip.lacked_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds since the node first detected it.' },
  'mesh.gossip.closes': { type: 'boolean', brief: 'Whether the node closes the connection.' },
  'mesh.gossip.reason': {
    type: ['size', 'backlog'],
    brief: 'The message exceeds the size that the neighbour accepts, or the backlog of a slow neighbour is full.',
  },
  'mesh.gossip.bytes': {
    type: 'int',
    unit: 'By',
    brief: 'Bytes of the RPC with that message alone, or of the backlog.',
  },
  'mesh.gossip.limit': { type: 'int', unit: 'By', brief: 'Bytes allowed.' },
  'mesh.gossip.count': {
    type: 'int',
    unit: '1',
    brief: 'Messages not sent to a neighbour since the previous span, this one included.',
  },
  'mesh.gossip.swept': { type: 'int', unit: '1', brief: 'Peers without a connection that this sweep removed.' },
  'mesh.gossip.swept_peers': { type: 'string[]', brief: 'Their peer ids, at most 32.' },
  'mesh.gossip.ghosts': {
    type: 'string[]',
    brief: 'The tables that listed them, each with the number of entries removed: `mesh 2`.',
  },
  'mesh.gossip.grudges': {
    type: 'int',
    unit: '1',
    brief: 'Peers among them that left with penalties or live backoffs.',
  },
  'mesh.gossip.remaining': { type: 'int', unit: '1', brief: 'Peers in gossipsub’s tables after the sweep.' },
  'mesh.identify.retry': { type: 'int', unit: null, brief: 'Number of the retry on this connection, from 1.' },
  'mesh.goodbye.reason': { type: closeReasons, brief: 'Reason in the goodbye.' },
  'mesh.link.survivor': { type: 'string', brief: 'Id of the winning link.' },
  'mesh.link.rule': {
    type: ['incarnation', 'counter', 'lower-peer', 'newer', 'incumbent'],
    brief:
      'Rule that chose the winning link; "newer" for guests, which have no hello; "incumbent" for two processes of one identity.',
  },
  'mesh.pruned.count': { type: 'int', unit: '1', brief: 'Members that this sweep pruned.' },
  'mesh.pruned.peers': { type: 'string[]', brief: 'Their peer ids, at most 32.' },
  'mesh.pruned.remaining': { type: 'int', unit: '1', brief: 'Members that remain.' },
  'mesh.pruned.remaining_band': { type: sizeBands, brief: 'Band of that number.' },
  'mesh.pruned.suspended': { type: 'boolean', brief: 'Whether a stall of this node suspended expiry.' },
  'mesh.member.silence_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds since the last newer digest.' },
  'mesh.member.window_ms': { type: 'int', unit: 'ms', brief: 'Staleness window of this member, milliseconds.' },
  'mesh.member.via': { type: ['link', 'gossip'], brief: 'How the digest or goodbye arrived.' },
  'mesh.registry.name': { type: 'string', brief: 'Name of the registry.' },
  'mesh.registry.owner': { type: 'string', brief: 'Owner of the registry.' },
  'mesh.registry.size': { type: 'int', unit: '1', brief: 'Current number of entries.' },
  'mesh.registry.size_band': { type: sizeBands, brief: 'Band of that number.' },
  'mesh.registry.capacity': { type: 'int', unit: '1', brief: 'Bound on the number of entries.' },
  'mesh.registry.high': { type: 'int', unit: '1', brief: 'Highest number of entries since the start.' },
  'mesh.registry.added': { type: 'int', unit: '1', brief: 'Entries added since the start.' },
  'mesh.registry.released': { type: 'int', unit: '1', brief: 'Entries released since the start, for any reason.' },
  'mesh.registry.replaced': { type: 'int', unit: '1', brief: 'Entries released because a new entry has their key.' },
  'mesh.registry.removed': { type: 'int', unit: '1', brief: 'Entries released by an explicit removal.' },
  'mesh.registry.expired': {
    type: 'int',
    unit: '1',
    brief: 'Entries released because they were not refreshed in time.',
  },
  'mesh.registry.evicted': { type: 'int', unit: '1', brief: 'Entries released because the registry was full.' },
  'mesh.registry.closed': { type: 'int', unit: '1', brief: 'Entries released when their owner closed.' },
  'mesh.registry.oldest_band': { type: ageBands, brief: 'Band of the oldest entry’s age.' },
  ...censusAttributes,
  'mesh.audit.verdict': {
    type: ['consistent', 'differs'],
    brief: 'Whether libp2p and the ledger list the same connections; either may lag by 10 s.',
  },
  'mesh.audit.cause': {
    type: ['started', 'periodic', 'stopped'],
    brief: 'When the census was taken: 5 s after the start, every 30 s, or after the stop.',
  },
  'mesh.audit.unread': { type: 'string[]', brief: 'Layers that could not be read, each with its error.' },
  'mesh.invariant': {
    type: [
      'connections-in-ledger',
      'one-link-per-pair',
      'connections-conserved',
      'registry-conserved',
      'registry-bound',
      'owned-conserved',
      'gossip-peers-connected',
      'peer-store-swept',
    ],
    brief: 'Broken invariant.',
  },
  'mesh.invariant.owner': {
    type: 'string',
    brief: 'Owner of what breaks the invariant: an owner, a layer or a registry.',
  },
  'mesh.invariant.broken_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds since a census first found it broken.' },
  'mesh.invariant.ids': { type: 'string[]', brief: 'Ids of what breaks the invariant, at most 16.' },
  'mesh.expected': { type: 'int', unit: '1', brief: 'Expected value.' },
  'mesh.actual': { type: 'int', unit: '1', brief: 'Actual value.' },
  'mesh.heap.trigger': {
    type: ['leak-suspected', 'heap-floor', 'external-floor'],
    brief: 'Why the node sampled its heap: a broken invariant, or a floor that rose over six major collections.',
  },
  'mesh.heap.bytes': { type: 'int', unit: 'By', brief: 'Bytes of those allocations, scaled up from samples.' },
  'mesh.heap.share': { type: 'double', unit: '1', brief: 'Their part of all sampled bytes, from 0 to 1.' },
  'code.function.name': { stability: 'stable', type: 'string', brief: 'Name of the function.' },
  'code.file.path': { stability: 'stable', type: 'string', brief: 'Its file; `node:…` of Node itself, empty of V8.' },
  'code.line.number': {
    stability: 'stable',
    type: 'int',
    unit: null,
    brief: 'Line at which the function begins; 0 without a file.',
  },
  'mesh.suspect.reason': {
    type: ['unowned', 'superseded-open', 'unsettled-old', 'closing-open', 'refused-open'],
    brief: 'Kind of suspect.',
  },
  'mesh.suspect.change': {
    type: ['appeared', 'older', 'gone'],
    brief: 'Whether the suspect is new, has reached the next age band, or has gone.',
  },
  'mesh.limit.name': { type: 'string', brief: 'Name of the bound in the limits table.' },
  'mesh.limit.value': { type: 'int', unit: null, brief: 'Value of the bound.' },
  'mesh.limit.action': { type: ['refused', 'evicted', 'closed'], brief: 'Action that the node took.' },
  'mesh.limit.total': { type: 'int', unit: '1', brief: 'Times that the node reached the bound since its start.' },
  'mesh.limit.setting': {
    type: 'string',
    brief: 'Variable that sets the bound: `MESH_MESSAGE_BYTES` is the option `messageBytes` of an application.',
  },
  'messaging.system': { type: ['libp2p_gossipsub'], brief: 'Messaging system.' },
  'messaging.operation.type': { type: ['send', 'process'], brief: 'Type of the operation on a message.' },
  'messaging.operation.name': {
    type: ['publish', 'forward', 'deliver'],
    brief: 'Operation: publication, forwarding into another mesh, or delivery to a subscriber.',
  },
  'messaging.destination.name': { type: 'string', brief: 'Topic, by its OpenTelemetry name.' },
  'messaging.message.id': { type: 'string', brief: 'Message id, by its OpenTelemetry name.' },
  'messaging.message.body.size': { type: 'int', unit: 'By', brief: 'Payload bytes, by their OpenTelemetry name.' },
  'mesh.message.topic': { type: 'string', brief: 'Topic.' },
  'mesh.message.id': { type: 'string', brief: 'Message id: origin and sequence number.' },
  'mesh.message.bytes': { type: 'int', unit: 'By', brief: 'Payload bytes.' },
  'mesh.message.hops': { type: 'int', unit: '1', brief: 'Bridges that forwarded the message so far.' },
  'mesh.message.recipients': { type: 'int', unit: '1', brief: 'Number of peers of the first hop.' },
  'mesh.message.lateness_ms': {
    type: 'int',
    unit: 'ms',
    brief: 'Receiver’s wall clock minus the publisher’s: the transit time plus the skew of the two clocks.',
  },
  'mesh.request.topic': { type: 'string', brief: 'Topic of the request.' },
  'mesh.request.bytes': { type: 'int', unit: 'By', brief: 'Bytes of the request without its header.' },
  'mesh.response.bytes': { type: 'int', unit: 'By', brief: 'Bytes of the response.' },
  'mesh.bridge.from': { type: 'string', brief: 'Mesh that the message comes from.' },
  'mesh.bridge.to': { type: 'string', brief: 'Mesh that the message goes to.' },
  'mesh.bridge.rank': {
    type: 'int',
    unit: null,
    brief: 'Rank of this bridge for the origin; rank 0 forwards at once.',
  },
  'mesh.bridge.reason': {
    type: ['seen', 'hop-limit', 'bad-signature', 'other-bridge', 'limit'],
    brief: 'Why this bridge did not forward the message.',
  },
  'mesh.origin.peer': { type: 'string', brief: 'Peer that published the message.' },
  'mesh.frame.reason': { type: 'string', brief: 'Why the node refused the frame.' },
  'mesh.clock.skew_ms': { type: 'int', unit: 'ms', brief: 'The peer’s clock minus ours.' },
  'mesh.clock.allowed_ms': { type: 'int', unit: 'ms', brief: 'Tolerated skew.' },
  'mesh.stall.slept_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds for which this node did not run.' },
  'mesh.stall.suspended_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds for which this node expires no members.' },
  'mesh.resource.name': {
    type: ['descriptors', 'system-descriptors', 'socket-memory', 'memory'],
    brief: 'Exhausted resource; system-descriptors are those of the whole machine.',
  },
  'mesh.resource.operation': { type: ['open', 'dial', 'accept'], brief: 'First operation that failed.' },
  'mesh.resource.operations': { type: 'string[]', brief: 'Operations that failed.' },
  'mesh.resource.failures': { type: 'int', unit: '1', brief: 'Number of failures, probes of the node included.' },
  'mesh.resource.exhausted_ms': { type: 'int', unit: 'ms', brief: 'Milliseconds from the first failure to the last.' },
  'mesh.lost.count': { type: 'int', unit: '1', brief: 'Lost spans since the previous report.' },
  'mesh.lost.where': { type: ['ring', 'refused', 'exit'], brief: 'Where the node lost them.' },
} as const satisfies Record<string, AttributeSpec>

export type AttributeName = keyof typeof attributes
