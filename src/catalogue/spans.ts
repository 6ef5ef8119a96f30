import type { OptionalLevel } from './attribute-spec.ts'
import type { AttributeName } from './attributes.ts'
import { censusLevels } from './census.ts'

export interface SpanSpec {
  /** One sentence for the reader of SPANS.md. */
  readonly brief: string
  /** When the node emits it. */
  readonly when: string
  /** OpenTelemetry’s level Required: every span of this name has them. */
  readonly attributes: readonly AttributeName[]
  /** Attributes that not every span of this name has, each with its requirement level. */
  readonly optional?: Readonly<Partial<Record<AttributeName, OptionalLevel>>>
  /** What its parent is, one of these; by default the window in which the node emits it. */
  readonly parents?: readonly Relative[]
  /** What it links to. */
  readonly links?: readonly Relative[]
  /** The span's status is ERROR: an invariant is broken or an attempt failed. */
  readonly failed?: true
  /** OpenTelemetry span kind; internal if absent. */
  readonly kind?: 'client' | 'server' | 'producer' | 'consumer'
  /**
   * Emitted periodically whether anything happens or not: the node exports only a share (`MESH_TRACE_ROUTINE`), so no
   * alert or board may count these spans. `whenZero`: only while these counts are 0.
   */
  readonly routine?: true | { readonly whenZero: readonly AttributeName[] }
  /**
   * The Collector counts them by node, since alerts or boards do: see `span-counts.ts`. Spans of failures and warnings
   * need no mention.
   */
  readonly countedByNode?: true
  /** Level of its log line; `info` by default. */
  readonly log?: LogLevel
  /** Level while the span is routine; `log` if absent. */
  readonly routineLog?: LogLevel
}

/**
 * A declared span; `previous` one of the same name; `remote` one of the node at the other end; `application`: a span of
 * the application; `evidence`: spans that prove it, of any name and node; `root`: none.
 */
export type Relative = 'root' | 'application' | 'evidence' | `${'' | 'previous ' | 'remote '}mesh.${string}`

type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

const peer = ['mesh.peer.id', 'mesh.peer.name'] as const
const link = ['mesh.link.id', 'mesh.connection.id', ...peer] as const
const attempt = ['mesh.seed.address', 'mesh.seed.attempt', 'mesh.seed.attempts', 'mesh.seed.elapsed_ms'] as const
const network = {
  'network.peer.address': 'if the remote address has an IP address',
  'network.peer.port': 'if it has a port, too',
  'network.transport': 'if it has a port, too',
  'network.protocol.name': 'if it is an address of QUIC',
} as const
const server = { 'server.address': 'if the address has a host', 'server.port': 'if it has a port' } as const
const underCampaign = ['mesh.seed.dial'] as const
const underLink = ['mesh.connection.opened', 'mesh.window'] as const
const toLink = ['mesh.connection.opened'] as const
const toPublished = ['remote mesh.message.published', 'application'] as const
const response = {
  'mesh.response.bytes': 'if there is a response',
  'error.type': 'if there is no response',
  'mesh.error.message': 'if there is no response',
} as const
const failure = ['mesh.seed.addresses', 'mesh.dial.stage', 'error.type', 'mesh.error.message'] as const
/** OpenTelemetry messaging attributes with the values of `mesh.message.*`. */
const messaging = [
  'messaging.system',
  'messaging.operation.type',
  'messaging.operation.name',
  'messaging.destination.name',
  'messaging.message.id',
] as const

const registryCounts = [
  'mesh.registry.capacity',
  'mesh.registry.high',
  'mesh.registry.added',
  'mesh.registry.released',
  'mesh.registry.replaced',
  'mesh.registry.removed',
  'mesh.registry.expired',
  'mesh.registry.evicted',
  'mesh.registry.closed',
  'mesh.registry.oldest_band',
] as const

const registryLevels = {
  'mesh.registry.capacity': 'if it is bounded',
  'mesh.registry.high': 'if it is a registry',
  'mesh.registry.added': 'if it is a registry',
  'mesh.registry.released': 'if it is a registry',
  'mesh.registry.replaced': 'if it is a registry',
  'mesh.registry.removed': 'if it is a registry',
  'mesh.registry.expired': 'if it is a registry',
  'mesh.registry.evicted': 'if it is a registry',
  'mesh.registry.closed': 'if it is a registry',
  'mesh.registry.oldest_band': 'if it is a registry',
} as const satisfies Readonly<Record<(typeof registryCounts)[number], OptionalLevel>>

const registry = {
  brief: 'One registry of this node: its size, its bound, and the entries it released, by reason.',
  when: 'child of each census',
  attributes: [
    'mesh.registry.name',
    'mesh.registry.owner',
    'mesh.registry.size',
    'mesh.registry.size_band',
    ...registryCounts,
  ],
  parents: ['mesh.audit'],
  routine: true,
  log: 'trace',
} as const

/** Every span of the mesh, declared once. Docs, types and checks derive from it. */
export const spans = {
  'mesh.window': {
    brief: 'Root of the spans that a node emits within a minute; linked to the previous window.',
    when: 'every 60 s, ended at once',
    attributes: ['mesh.window.seq', 'mesh.node.uptime_ms'],
    parents: ['root'],
    links: ['previous mesh.window'],
    routine: true,
    log: 'trace',
  },
  'mesh.node.started': {
    brief: 'The node has started.',
    when: 'once per start',
    attributes: [
      'mesh.node.name',
      'mesh.node.role',
      'mesh.node.incarnation',
      'mesh.node.instance',
      'mesh.node.settings',
    ],
    optional: {
      'mesh.node.sweep_ms': 'recommended',
      'mesh.node.staleness_ms': 'recommended',
      'mesh.node.limits': 'recommended',
      'mesh.node.caps_bytes': 'if the node is a process of its own',
    },
    countedByNode: true,
  },
  'mesh.node.stopped': {
    brief:
      'The node has stopped; each closing step is a child. A complete stop has no missing or failed step, and holds nothing.',
    when: 'once per stop',
    attributes: [
      'mesh.node.uptime_ms',
      'mesh.node.stop_cause',
      'mesh.stop.duration_ms',
      'mesh.stop.expected',
      'mesh.stop.run',
      'mesh.stop.missing',
      'mesh.stop.failed',
      'mesh.stop.held',
      'mesh.stop.held_count',
      'mesh.stop.left',
    ],
    parents: ['root'],
    countedByNode: true,
  },
  'mesh.node.step': {
    brief: 'One closing step, with its duration and error.',
    when: 'child of `mesh.node.stopped`',
    attributes: ['mesh.step.name', 'mesh.step.duration_ms', 'mesh.step.error'],
    parents: ['mesh.node.stopped'],
    log: 'debug',
  },
  'mesh.address.changed': {
    brief: 'The addresses that this node announces, or those that it withholds, have changed.',
    when: 'at the start, and when a network interface is added, removed or renumbered',
    attributes: [
      'mesh.address.announced',
      'mesh.address.added',
      'mesh.address.removed',
      'mesh.address.withheld',
      'mesh.address.cut',
    ],
  },
  'mesh.address.dialback': {
    brief: 'A neighbour dialled a node at its observed address, to find out whether other peers can reach it there.',
    when: 'on both ends; for a node behind NAT soon after the link opens, and at most every half hour once the outcome is known; refusals at most once per second',
    attributes: [
      'mesh.dialback.side',
      'mesh.dialback.outcome',
      'mesh.peer.id',
      'network.peer.address',
      'network.peer.port',
      'network.transport',
    ],
    optional: { 'error.type': 'if this node made the dial and it failed' },
  },
  'mesh.seed.dial': {
    brief: 'Root of one dial campaign; its attempts and its outcome are children.',
    when: 'when a campaign begins, ended at once',
    attributes: ['mesh.seed.address', 'mesh.seed.campaign', 'mesh.seed.cause'],
    parents: ['root'],
    log: 'debug',
  },
  'mesh.seed.retry': {
    brief: 'A failed attempt that another one will follow; the span lasts as long as the attempt.',
    when: 'each failed attempt except the last',
    attributes: [...attempt, ...failure, 'mesh.seed.delay_ms'],
    optional: { ...server, ...network },
    parents: underCampaign,
    failed: true,
    kind: 'client',
    log: 'warn',
  },
  'mesh.seed.connected': {
    brief: 'The seed is connected and identified. The span lasts as long as the attempt.',
    when: 'end of a campaign',
    attributes: [...attempt, 'mesh.peer.id'],
    optional: { ...server, ...network },
    parents: underCampaign,
    kind: 'client',
  },
  'mesh.seed.giveup': {
    brief: 'The last attempt of a campaign failed.',
    when: 'end of a campaign',
    attributes: [...attempt, ...failure],
    optional: { ...server, ...network },
    parents: underCampaign,
    failed: true,
    kind: 'client',
    log: 'error',
  },
  'mesh.seed.rearmed': {
    brief:
      'A new campaign for a seed that was given up or lost; child of its `mesh.seed.dial`, linked to the previous campaign.',
    when: 'when a later campaign begins',
    attributes: ['mesh.seed.address', 'mesh.seed.campaign', 'mesh.seed.cause', 'mesh.seed.delay_ms'],
    parents: underCampaign,
    links: ['previous mesh.seed.dial'],
  },
  'mesh.seed.self': {
    brief: 'A seed is this node itself: the node at its address has this node’s peer id.',
    when: 'once per seed, until another node answers there',
    attributes: ['mesh.seed.address', 'mesh.seed.addresses', 'mesh.seed.others', 'mesh.error.message'],
    parents: underCampaign,
    log: 'warn',
  },
  'mesh.member.dial_failed': {
    brief: 'A dial of a member failed; the span lasts as long as the attempt.',
    when: 'at most once per dial: each of the first six consecutive failures of a member, then every tenth. A node has at most `MESH_NEIGHBOURS` dials in flight, and dials the same member again after a delay of 1, 2, 4, 8, 16, then 30 s, minus up to half.',
    attributes: [
      ...peer,
      'mesh.dial.addresses',
      'mesh.dial.failures',
      'mesh.dial.delay_ms',
      'mesh.dial.stage',
      'error.type',
      'mesh.error.message',
    ],
    optional: network,
    failed: true,
    kind: 'client',
    log: 'debug',
  },
  'mesh.path.blocked': {
    brief: 'Some addresses of a peer do not answer, while another one does.',
    when: 'once per change; for a seed as a child of its campaign',
    attributes: [
      'mesh.peer.id',
      'mesh.path.unreachable',
      'mesh.path.reached_by',
      'mesh.dial.stage',
      'error.type',
      'mesh.error.message',
    ],
    optional: { 'mesh.seed.address': 'if the peer is a seed', 'mesh.peer.name': 'if the peer is a member' },
    parents: ['mesh.seed.dial', 'mesh.window'],
    log: 'warn',
  },
  'mesh.path.restored': {
    brief: 'Addresses of a peer that did not answer before answer now.',
    when: 'once per change, after `mesh.path.blocked`',
    attributes: ['mesh.peer.id', 'mesh.path.restored'],
    optional: { 'mesh.seed.address': 'if the peer is a seed', 'mesh.peer.name': 'if the peer is a member' },
    parents: ['mesh.seed.dial', 'mesh.window'],
  },
  'mesh.identity.conflict': {
    brief: 'Two processes run with one identity at the same time: a key file was copied.',
    when: 'when a node detects it, and once a minute while it hears both',
    attributes: [...peer, 'mesh.identity.instances', 'mesh.identity.addresses', 'mesh.identity.own'],
    failed: true,
    log: 'error',
  },
  'mesh.connection.opened': {
    brief:
      'A connection opened. The dialler’s span, of kind CLIENT, is the root of the link’s opening trace; the listener’s, of kind SERVER, becomes its child on hello.',
    when: 'on both ends, once per connection',
    attributes: [
      'mesh.connection.id',
      'mesh.peer.id',
      'mesh.connection.direction',
      'mesh.connection.address',
      'mesh.connection.transport',
    ],
    optional: {
      'mesh.link.id': 'if the dialler or its hello has numbered the link',
      'mesh.refusal.reason': 'if the node refused the connection',
      ...network,
    },
    parents: ['root', 'remote mesh.connection.opened'],
    log: 'debug',
    countedByNode: true,
  },
  'mesh.handshake.stalled': {
    brief:
      'A peer began a QUIC handshake with this node and does not finish it: the node’s answers get lost, or it is an attack.',
    when: 'when the number of such handshakes grows, and every 30 s while there are any',
    attributes: ['mesh.listener.address', 'mesh.handshake.count', 'mesh.handshake.age_ms', 'mesh.handshake.capacity'],
    log: 'warn',
  },
  'mesh.hello.received': {
    brief: 'The peer introduced itself and is now a member.',
    when: 'on both ends, once per link',
    attributes: [...link, 'mesh.peer.role', 'mesh.peer.incarnation'],
    parents: ['remote mesh.connection.opened'],
  },
  'mesh.connection.guest': {
    brief:
      'The peer does not speak the hello protocol: the node gossips with it, counts and limits it, but it is no member.',
    when: 'once per connection',
    attributes: ['mesh.connection.id', 'mesh.peer.id'],
    parents: underLink,
  },
  'mesh.gossip.healed': {
    brief: 'Gossip with a connected peer was broken and works again after a heal.',
    when: 'once per successful heal',
    attributes: [
      'mesh.connection.id',
      'mesh.peer.id',
      'mesh.gossip.lack',
      'mesh.gossip.heals',
      'mesh.gossip.lacked_ms',
    ],
    parents: underLink,
  },
  'mesh.gossip.mute': {
    brief: 'Gossip with a connected peer is broken and heals have failed. The node closes the connection where it may.',
    when: 'after three failed heals in a row, and 10 s after it dialled a guest that has not subscribed to any topic; the node closes the connection of one peer at most every five minutes',
    attributes: ['mesh.connection.id', 'mesh.peer.id', 'mesh.gossip.lack', 'mesh.gossip.heals', 'mesh.gossip.closes'],
    parents: underLink,
    log: 'warn',
  },
  'mesh.gossip.unsent': {
    brief: 'Gossipsub did not send a message to a neighbour that would not accept it: sending it would end the stream.',
    when: 'at most once per second',
    attributes: [
      'mesh.peer.id',
      'mesh.gossip.reason',
      'mesh.message.topic',
      'mesh.gossip.bytes',
      'mesh.gossip.limit',
      'mesh.gossip.count',
    ],
    log: 'warn',
  },
  'mesh.gossip.swept': {
    brief: 'Gossipsub listed peers that have no connection; the node removed them from all its tables.',
    when: 'when a sweep, one every 3 s, found such a peer in a table other than those in which gossipsub retains a peer that left; the census counts all that sweeps removed',
    attributes: [
      'mesh.gossip.swept',
      'mesh.gossip.swept_peers',
      'mesh.gossip.ghosts',
      'mesh.gossip.grudges',
      'mesh.gossip.remaining',
    ],
    log: 'debug',
  },
  'mesh.identify.retried': {
    brief: 'A connection is not identified yet; the node runs identify again, since gossipsub waits for it.',
    when: 'at most four times per connection, with an interval that doubles each time',
    attributes: ['mesh.connection.id', 'mesh.peer.id', 'mesh.identify.retry'],
    parents: underLink,
  },
  'mesh.link.refused': {
    brief: 'A node refused a hello; both ends emit a span.',
    when: 'once per refusal and end',
    attributes: ['mesh.connection.id', 'mesh.peer.id', 'mesh.close.reason', 'mesh.error.message'],
    parents: underLink,
    log: 'warn',
  },
  'mesh.admission.granted': {
    brief: 'The peer has proved that it belongs to the closed mesh; from now on it may use all protocols.',
    when: 'once per link and end',
    attributes: ['mesh.connection.id', 'mesh.peer.id'],
    optional: {
      'mesh.admission.roles': 'if it has a credential',
      'mesh.admission.authority': 'if it has a credential',
      'mesh.admission.credential': 'if it has a credential',
      'mesh.admission.expires_s': 'if it has a credential',
      'mesh.admission.cause': 'if it has none, and needs none',
    },
    parents: underLink,
    log: 'debug',
  },
  'mesh.admission.refused': {
    brief: 'The node does not admit a peer to the closed mesh, and closes the connection; the peer does not learn why.',
    when: 'once per peer, cause and minute',
    attributes: [
      'mesh.connection.id',
      'mesh.peer.id',
      'mesh.connection.address',
      'mesh.admission.cause',
      'mesh.admission.count',
    ],
    parents: underLink,
    log: 'warn',
  },
  'mesh.goodbye.sent': {
    brief: 'This node ends the link; root of the closing trace, linked to the link’s `mesh.connection.opened`.',
    when: 'before this node closes a link',
    attributes: [...link, 'mesh.goodbye.reason'],
    parents: ['root'],
    links: toLink,
    log: 'debug',
  },
  'mesh.goodbye.received': {
    brief:
      'The peer ends the link; in the trace of its goodbye, or of ours if both were simultaneous and our peer id is lower.',
    when: 'on receipt',
    attributes: [...link, 'mesh.goodbye.reason'],
    parents: ['remote mesh.goodbye.sent', 'mesh.goodbye.sent'],
    links: ['mesh.connection.opened', 'remote mesh.goodbye.sent'],
    log: 'debug',
  },
  'mesh.connection.wedged': {
    brief:
      'No stream opens on a connection any more: the peer grants none, or is frozen. The node aborts the connection where it may. Linked to its `mesh.connection.opened`.',
    when: 'when a stream that the mesh needs has not opened for some seconds, and one that it opens to check does not open within 5 s either; it checks guests every 8 s',
    attributes: [
      'mesh.connection.id',
      'mesh.peer.id',
      'mesh.connection.transport',
      'mesh.connection.kind',
      'mesh.wedge.protocol',
      'mesh.wedge.waited_ms',
      'mesh.wedge.aborts',
    ],
    links: toLink,
    log: 'warn',
  },
  'mesh.connection.closed': {
    brief: 'A connection closed; linked to its `mesh.connection.opened`.',
    when: 'on both ends, once per connection opened',
    attributes: [
      ...link,
      'mesh.connection.kind',
      'mesh.connection.age_ms',
      'mesh.connection.age_band',
      'mesh.close.reason',
      'mesh.close.by',
      'mesh.close.noticed',
    ],
    parents: ['mesh.goodbye.sent', 'remote mesh.goodbye.sent', 'root'],
    links: toLink,
    countedByNode: true,
  },
  'mesh.connection.superseded': {
    brief:
      'Another link of the same pair wins; the node drains this one, or aborts it if the remote process has ended.',
    when: 'on each end that compares both links, once per losing link',
    attributes: [...link, 'mesh.link.survivor', 'mesh.link.rule'],
    parents: ['mesh.connection.opened', 'root'],
    links: toLink,
  },
  'mesh.staleness.pruned': {
    brief: 'A sweep that prunes the members silent for longer than their staleness window.',
    when: 'every 5 s, even if no member was stale',
    attributes: [
      'mesh.pruned.count',
      'mesh.pruned.peers',
      'mesh.pruned.remaining',
      'mesh.pruned.remaining_band',
      'mesh.pruned.suspended',
    ],
    routine: { whenZero: ['mesh.pruned.count'] },
    log: 'trace',
  },
  'mesh.peerstore.swept': {
    brief: 'A sweep that removes the records of absent peers from libp2p’s peer store.',
    when: 'every 2 min, even if no record was removed',
    attributes: [
      'mesh.peerstore.mode',
      'mesh.peerstore.before',
      'mesh.peerstore.judged',
      'mesh.peerstore.removed',
      'mesh.peerstore.after',
      'mesh.peerstore.probed',
      'mesh.peerstore.compacted',
      'mesh.peerstore.errors',
      'mesh.peerstore.duration_ms',
    ],
    optional: { 'mesh.error.message': 'if a record could not be read or removed' },
    routine: { whenZero: ['mesh.peerstore.removed', 'mesh.peerstore.errors'] },
    routineLog: 'trace',
  },
  'mesh.member.joined': {
    brief: 'A node became a member.',
    when: 'on the first digest of a node',
    attributes: [...peer, 'mesh.peer.role', 'mesh.peer.incarnation', 'mesh.member.via'],
  },
  'mesh.member.left': {
    brief: 'A member said goodbye.',
    when: 'on receipt of its goodbye: over the link, or of a member without a link over gossip',
    attributes: [...peer, 'mesh.peer.role', 'mesh.peer.incarnation', 'mesh.member.via'],
  },
  'mesh.member.expired': {
    brief: 'A member was silent for longer than its staleness window.',
    when: 'in the sweep that pruned it; child of that `mesh.staleness.pruned`',
    attributes: [...peer, 'mesh.peer.role', 'mesh.peer.incarnation', 'mesh.member.silence_ms', 'mesh.member.window_ms'],
    parents: ['mesh.staleness.pruned'],
    log: 'warn',
  },
  'mesh.audit': {
    brief: 'The census: the counts of every layer side by side. Counts named `_total` only rise.',
    when: '5 s after the start, every 30 s, and after the stop with what is still held',
    attributes: ['mesh.audit.verdict', 'mesh.audit.cause'],
    optional: { 'mesh.audit.unread': 'if a layer could not be read', ...censusLevels },
    parents: ['mesh.window', 'mesh.node.stopped'],
    log: 'debug',
    countedByNode: true,
  },
  'mesh.audit.peers': registry,
  'mesh.audit.refused': registry,
  'mesh.audit.members': registry,
  'mesh.audit.relay_seen': registry,
  'mesh.audit.relay_waiting': registry,
  'mesh.audit.connections': registry,
  'mesh.audit.messages': registry,
  'mesh.audit.subscriptions': registry,
  'mesh.audit.requests': registry,
  'mesh.audit.grudges': registry,
  'mesh.audit.application': {
    brief: 'A collection of the application: a registry (`registry()`), or one that it only watches (`watch()`).',
    when: 'child of each census, one per collection, at most 32',
    attributes: ['mesh.registry.name', 'mesh.registry.size', 'mesh.registry.size_band'],
    optional: registryLevels,
    parents: ['mesh.audit'],
    routine: true,
    log: 'trace',
  },
  'mesh.audit.disconnected': registry,
  'mesh.audit.unanswered': registry,
  'mesh.audit.visitors': registry,
  'mesh.audit.credentials': registry,
  'mesh.audit.not_admitted': registry,
  'mesh.audit.suspect': {
    brief: 'A connection without an owner, or one that should be closed; linked to its `mesh.connection.opened`.',
    when: 'child of a census: when the suspect appears, reaches another age band, and goes; at most 64 at a time',
    attributes: [
      'mesh.connection.id',
      'mesh.peer.id',
      'mesh.suspect.reason',
      'mesh.suspect.change',
      'mesh.connection.age_ms',
      'mesh.connection.age_band',
      'mesh.connection.direction',
      'mesh.connection.address',
    ],
    parents: ['mesh.audit'],
    links: toLink,
    log: 'warn',
  },
  'mesh.leak.suspected': {
    brief: 'An invariant is broken, and has been for longer than its layers may lag behind each other.',
    when: 'child of every census that finds it broken',
    attributes: [
      'mesh.invariant',
      'mesh.invariant.owner',
      'mesh.expected',
      'mesh.actual',
      'mesh.invariant.broken_ms',
      'mesh.invariant.ids',
    ],
    parents: ['mesh.audit'],
    failed: true,
    log: 'error',
  },
  'mesh.connection.refused': {
    brief: 'The node refused further connections in the same second; each of the first five has spans of its own.',
    when: 'at most once per reason and second',
    attributes: ['mesh.refusal.reason', 'mesh.refusal.count'],
    log: 'warn',
  },
  'mesh.heap.site': {
    brief: 'A function of whose allocations in the last 15 s most is still in use: where a leak may be.',
    when: 'the five largest, when a leak is suspected or a memory floor rises; at most once in ten minutes',
    attributes: [
      'mesh.heap.trigger',
      'mesh.heap.bytes',
      'mesh.heap.share',
      'code.function.name',
      'code.file.path',
      'code.line.number',
    ],
    parents: ['mesh.leak.suspected', 'mesh.window'],
    log: 'warn',
  },
  'mesh.limit.reached': {
    brief: 'The node refused, evicted or closed something because it reached a bound.',
    when: 'at most once per bound and second',
    attributes: ['mesh.limit.name', 'mesh.limit.value', 'mesh.limit.action', 'mesh.limit.total'],
    optional: {
      'mesh.limit.setting': 'if a setting changes the bound',
      'mesh.peer.id': 'if one peer reached it',
      'network.peer.address': 'if one address reached it',
    },
    log: 'warn',
  },
  'mesh.frame.refused': {
    brief: 'A peer sent a frame that is malformed or that it may not send.',
    when: 'once per refusal that ends a stream',
    attributes: ['mesh.connection.id', 'mesh.peer.id', 'mesh.frame.reason'],
    log: 'warn',
  },
  'mesh.message.published': {
    brief: 'The application published a message on this node.',
    when: 'sampled, at most one per second over all topics',
    attributes: [
      'mesh.message.topic',
      'mesh.message.id',
      'mesh.message.bytes',
      'mesh.message.recipients',
      ...messaging,
      'messaging.message.body.size',
    ],
    parents: ['root', 'application'],
    kind: 'producer',
    log: 'trace',
  },
  'mesh.message.received': {
    brief:
      'A traced message of the application arrived; linked to the span that the message carries: the application’s, or else its `mesh.message.published`.',
    when: 'sampled, at most one per second over all topics',
    attributes: [
      'mesh.message.topic',
      'mesh.message.id',
      'mesh.message.bytes',
      'mesh.message.hops',
      'mesh.origin.peer',
      ...messaging,
      'messaging.message.body.size',
    ],
    optional: { 'mesh.message.lateness_ms': 'if the message says when it was published' },
    links: toPublished,
    kind: 'consumer',
    log: 'trace',
  },
  'mesh.request.sent': {
    brief: 'A request of the application, from sending to the response; its status is ERROR without a response.',
    when: 'sampled, at most one per second over all topics',
    attributes: ['mesh.request.topic', 'mesh.request.bytes', 'mesh.peer.id'],
    optional: response,
    parents: ['root', 'application'],
    kind: 'client',
    log: 'trace',
  },
  'mesh.request.handled': {
    brief:
      'A handler of the application answered a traced request; child of its `mesh.request.sent`, parent of the spans of the handler. Its status is ERROR if the handler failed.',
    when: 'sampled, at most one per second over all topics',
    attributes: ['mesh.request.topic', 'mesh.request.bytes', 'mesh.peer.id'],
    optional: response,
    parents: ['remote mesh.request.sent', 'application'],
    kind: 'server',
    log: 'trace',
  },
  'mesh.bridge.forwarded': {
    brief: 'This bridge forwarded a message into another mesh.',
    when: 'once per message',
    attributes: [
      'mesh.bridge.from',
      'mesh.bridge.to',
      'mesh.bridge.rank',
      'mesh.message.id',
      'mesh.message.topic',
      'mesh.message.hops',
      'mesh.origin.peer',
      ...messaging,
    ],
    links: ['mesh.message.published', ...toPublished],
    kind: 'producer',
    log: 'debug',
  },
  'mesh.bridge.dropped': {
    brief: 'This bridge did not forward a message, with the reason.',
    when: 'once per message',
    attributes: ['mesh.bridge.from', 'mesh.bridge.to', 'mesh.bridge.reason', 'mesh.message.id', 'mesh.origin.peer'],
    links: ['mesh.message.published', ...toPublished],
    log: 'debug',
  },
  'mesh.clock.skewed': {
    brief: 'The clock of a peer differs by more than the tolerance.',
    when: 'once per peer until it is correct again; for a clock that is behind after three digests',
    attributes: [...peer, 'mesh.clock.skew_ms', 'mesh.clock.allowed_ms'],
    log: 'warn',
  },
  'mesh.resource.exhausted': {
    brief: 'The process has run out of file descriptors or socket memory: it neither accepts nor dials connections.',
    when: 'at the first failure; at most 5 s later if only inbound connections fail',
    attributes: ['mesh.resource.name', 'error.type', 'mesh.resource.operation'],
    parents: ['root'],
    failed: true,
    log: 'error',
  },
  'mesh.resource.recovered': {
    brief: 'The process has the resource again; the span starts at the first failure.',
    when: '15 s after the last failure; child of `mesh.resource.exhausted`',
    attributes: [
      'mesh.resource.name',
      'error.type',
      'mesh.resource.failures',
      'mesh.resource.operations',
      'mesh.resource.exhausted_ms',
    ],
    parents: ['mesh.resource.exhausted'],
  },
  'mesh.node.stalled': {
    brief: 'This node was suspended or starved of CPU, and expires no members for a while.',
    when: 'when it runs again',
    attributes: ['mesh.stall.slept_ms', 'mesh.stall.suspended_ms'],
    log: 'warn',
  },
  'mesh.telemetry.lost': {
    brief: 'Spans that the node could not export.',
    when: 'when the export works again; at exit only as a log line',
    attributes: ['mesh.lost.count', 'mesh.lost.where'],
    failed: true,
    log: 'error',
  },
  'mesh.doctor.diagnosis': {
    brief: 'What `tracemesh doctor` says of a mesh. Emitted by the doctor, not by a node.',
    when: 'once per diagnosis and mesh, with `--emit`',
    attributes: [
      'mesh.doctor.verdict',
      'mesh.doctor.findings',
      'mesh.doctor.period_ms',
      'mesh.doctor.spans',
      'mesh.doctor.processes',
      'mesh.doctor.complete',
    ],
    optional: { 'mesh.doctor.partial': 'if the evidence is incomplete' },
    parents: ['root'],
  },
  'mesh.doctor.finding': {
    brief: 'A fault that the doctor found, with its owner; `mesh.node.name` is the node whose it is.',
    when: 'child of each diagnosis, one per finding',
    attributes: [
      'mesh.node.name',
      'mesh.doctor.disease',
      'mesh.doctor.certainty',
      'mesh.doctor.part',
      'mesh.doctor.summary',
      'mesh.doctor.remedy',
    ],
    optional: {
      'mesh.doctor.since': 'if it began within the period',
      'mesh.doctor.unit': 'if something grows',
      'mesh.doctor.per_hour': 'if something grows',
      'mesh.doctor.per_event': 'if something grows, and connections came',
      'mesh.doctor.missing': 'if the evidence is not enough',
      'mesh.doctor.also_at': 'if other nodes have it, too',
      'mesh.doctor.symptoms': 'if it explains other findings',
    },
    parents: ['mesh.doctor.diagnosis'],
    links: ['evidence'],
    log: 'warn',
  },
  'mesh.doctor.probe': {
    brief: 'The doctor has asked a node what grows in its heap (`--probe`). Emitted by the doctor, not by the node.',
    when: 'once per diagnosis with `--probe` and `--emit`',
    attributes: [
      'mesh.node.name',
      'mesh.doctor.probe_ms',
      'mesh.doctor.bytes_middle',
      'mesh.doctor.bytes_end',
      'mesh.doctor.counts',
    ],
    parents: ['root'],
  },
  'mesh.doctor.site': {
    brief: 'A function of the probed node whose allocations during the probe stayed, and grew.',
    when: 'child of each probe: at most ten, those that grew most first',
    attributes: [
      'mesh.node.name',
      'code.function.name',
      'code.file.path',
      'code.line.number',
      'mesh.doctor.bytes_middle',
      'mesh.doctor.bytes_end',
      'mesh.doctor.share',
    ],
    parents: ['mesh.doctor.probe'],
  },
  'mesh.soak.verdict': {
    brief:
      'A soak ended: whether anything stays in the mesh when peers come and go. Its status is ERROR for a leak. Emitted by the soak, not by a node.',
    when: 'at the end of `tracemesh soak`; the span starts with the soak',
    attributes: ['mesh.soak.result', 'mesh.soak.reasons', 'mesh.soak.lives', 'mesh.soak.failed', 'mesh.soak.rate'],
    optional: {
      'mesh.soak.heap_per_life': 'if there were enough major collections',
      'mesh.soak.external_per_life': 'if there were enough major collections',
    },
    parents: ['root'],
  },
} as const satisfies Record<string, SpanSpec>

export type SpanName = keyof typeof spans
