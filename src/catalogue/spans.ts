import type { AttributeName } from './attributes.ts'
import { registrySizeNames } from './registries.ts'

export interface SpanSpec {
  /** One sentence for the reader of SPANS.md. */
  readonly brief: string
  /** When it is told. */
  readonly when: string
  readonly attributes: readonly AttributeName[]
  /** Known only sometimes. */
  readonly optional?: readonly AttributeName[]
  /** A broken promise or a failed attempt: the span's status is ERROR. */
  readonly failed?: true
  /** Kind of the span by OpenTelemetry; internal when absent. */
  readonly kind?: 'client' | 'server' | 'producer' | 'consumer'
  /**
   * Emitted again and again whether anything happens or not: only a share leaves the node (`MESH_TRACE_ROUTINE`), and no
   * alert or board may count these spans. `whenZero`: only while this count is 0.
   */
  readonly routine?: true | { readonly whenZero: AttributeName }
  /** Level of the log line that goes with it. */
  readonly log: 'trace' | 'debug' | 'info' | 'warn' | 'error'
}

const peer = ['mesh.peer.id', 'mesh.peer.name'] as const
const link = ['mesh.link.id', 'mesh.connection.id', ...peer] as const
const attempt = ['mesh.seed.address', 'mesh.seed.attempt', 'mesh.seed.elapsed_ms'] as const
/** Of the other end, where its address has them. */
const network = ['network.peer.address', 'network.peer.port', 'network.transport', 'network.protocol.name'] as const
const server = ['server.address', 'server.port'] as const
const failure = ['mesh.seed.addresses', 'mesh.dial.stage', 'error.type', 'mesh.error.message'] as const
/** What tools that know messaging read; the same as what `mesh.message.*` says. */
const messaging = [
  'messaging.system',
  'messaging.operation.type',
  'messaging.operation.name',
  'messaging.destination.name',
  'messaging.message.id',
] as const

const registry = {
  brief: 'One registry of this node: what it holds, its bound, and what left it, by reason.',
  when: 'child of each census',
  attributes: [
    'mesh.registry.name',
    'mesh.registry.owner',
    'mesh.registry.size',
    'mesh.registry.size_band',
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
  ],
  routine: true,
  log: 'trace',
} as const

/** Every span of the mesh, declared once. Docs, types and checks come from here. */
export const spans = {
  'mesh.window': {
    brief: 'Root under which a node’s minute is told; linked to the window before.',
    when: 'every 60 s, ended at once',
    attributes: ['mesh.window.seq', 'mesh.node.uptime_ms'],
    routine: true,
    log: 'trace',
  },
  'mesh.node.started': {
    brief: 'The node runs.',
    when: 'once per start',
    attributes: ['mesh.node.name', 'mesh.node.role', 'mesh.node.incarnation', 'mesh.node.settings'],
    optional: ['mesh.node.instance'],
    log: 'info',
  },
  'mesh.node.stopped': {
    brief: 'The node has stopped; each closing step is a child.',
    when: 'once per stop',
    attributes: ['mesh.node.uptime_ms', 'mesh.node.stop_cause'],
    log: 'info',
  },
  'mesh.node.step': {
    brief: 'One closing step, with its duration and error.',
    when: 'child of `mesh.node.stopped`',
    attributes: ['mesh.step.name', 'mesh.step.duration_ms', 'mesh.step.error'],
    log: 'debug',
  },
  'mesh.address.changed': {
    brief:
      'The addresses that this node announces to others, or those that it does not announce, are others than before.',
    when: 'at the start, and when an interface comes, goes or is renumbered',
    attributes: [
      'mesh.address.announced',
      'mesh.address.added',
      'mesh.address.removed',
      'mesh.address.withheld',
      'mesh.address.cut',
    ],
    log: 'info',
  },
  'mesh.address.dialback': {
    brief: 'A neighbour dialled a node at the address it sees it at, to find out whether others reach it there.',
    when: 'on both ends; for a node behind NAT, soon after the link, and at most every half hour once it is known; of refusals at most one in a second',
    attributes: [
      'mesh.dialback.side',
      'mesh.dialback.outcome',
      'mesh.peer.id',
      'network.peer.address',
      'network.peer.port',
      'network.transport',
    ],
    optional: ['error.type'],
    log: 'info',
  },
  'mesh.seed.dial': {
    brief: 'Root of one dial campaign: its attempts and its end are children.',
    when: 'when a campaign begins, ended at once',
    attributes: ['mesh.seed.address', 'mesh.seed.campaign', 'mesh.seed.cause'],
    log: 'debug',
  },
  'mesh.seed.retry': {
    brief: 'A failed attempt that another will follow; the span lasts as long as the attempt.',
    when: 'each failed attempt but the last',
    attributes: [...attempt, ...failure, 'mesh.seed.delay_ms'],
    optional: [...server, ...network],
    failed: true,
    kind: 'client',
    log: 'warn',
  },
  'mesh.seed.connected': {
    brief: 'The seed answered: identify succeeded. The span lasts as long as the attempt.',
    when: 'end of a campaign',
    attributes: [...attempt, 'mesh.peer.id'],
    optional: [...server, ...network],
    kind: 'client',
    log: 'info',
  },
  'mesh.seed.giveup': {
    brief: 'The last attempt of a campaign failed.',
    when: 'end of a campaign',
    attributes: [...attempt, ...failure],
    optional: [...server, ...network],
    failed: true,
    kind: 'client',
    log: 'error',
  },
  'mesh.seed.rearmed': {
    brief:
      'A new campaign for a seed that was given up or lost; child of its `mesh.seed.dial`, linked to the campaign before.',
    when: 'when a later campaign begins',
    attributes: ['mesh.seed.address', 'mesh.seed.campaign', 'mesh.seed.cause', 'mesh.seed.delay_ms'],
    log: 'info',
  },
  'mesh.seed.self': {
    brief: 'A seed is this node itself: what answers at its address has this node’s peer id.',
    when: 'once per seed, until another node answers there',
    attributes: ['mesh.seed.address', 'mesh.seed.addresses', 'mesh.seed.others', 'mesh.error.message'],
    log: 'warn',
  },
  'mesh.member.dial_failed': {
    brief: 'A dial of a member failed; the span lasts as long as the attempt.',
    when: 'at most once per dial: each of the first six failures in a row of a member, then every tenth. A node has as many dials under way as it wants links (`MESH_NEIGHBOURS`), and waits for 1, 2, 4, 8, 16, then 30 s, less up to half, before it dials the same member again.',
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
    brief: 'Some addresses of a peer do not answer, while it is reached at another one.',
    when: 'once per change; of a seed below its campaign',
    attributes: [
      'mesh.peer.id',
      'mesh.path.unreachable',
      'mesh.path.reached_by',
      'mesh.dial.stage',
      'error.type',
      'mesh.error.message',
    ],
    optional: ['mesh.seed.address', 'mesh.peer.name'],
    log: 'warn',
  },
  'mesh.path.restored': {
    brief: 'Addresses of a peer that did not answer do now.',
    when: 'once per change, after `mesh.path.blocked`',
    attributes: ['mesh.peer.id', 'mesh.path.restored'],
    optional: ['mesh.seed.address', 'mesh.peer.name'],
    log: 'info',
  },
  'mesh.identity.conflict': {
    brief: 'Two processes run with one identity at the same time: a key file was copied.',
    when: 'when it is noticed, and once a minute while both are heard',
    attributes: [...peer, 'mesh.identity.instances', 'mesh.identity.addresses', 'mesh.identity.own'],
    failed: true,
    log: 'error',
  },
  'mesh.connection.opened': {
    brief:
      'A connection is there. The dialler’s, of kind CLIENT, is the root of the link’s birth; the listener’s, of kind SERVER, is its child once hello has said so.',
    when: 'on both ends, once per connection',
    attributes: [
      'mesh.connection.id',
      'mesh.peer.id',
      'mesh.connection.direction',
      'mesh.connection.address',
      'mesh.connection.transport',
    ],
    optional: ['mesh.link.id', ...network],
    log: 'debug',
  },
  'mesh.hello.received': {
    brief: 'The other side said who it is: a member from now on.',
    when: 'on both ends, once per link',
    attributes: [...link, 'mesh.peer.role', 'mesh.peer.incarnation'],
    log: 'info',
  },
  'mesh.connection.guest': {
    brief: 'The peer speaks no hello: it is gossiped with, counted and limited, but is no member.',
    when: 'once per connection',
    attributes: ['mesh.connection.id', 'mesh.peer.id'],
    log: 'info',
  },
  'mesh.gossip.healed': {
    brief: 'Gossip with a connected peer was broken, and works again after a heal.',
    when: 'once per heal that worked',
    attributes: [
      'mesh.connection.id',
      'mesh.peer.id',
      'mesh.gossip.lack',
      'mesh.gossip.heals',
      'mesh.gossip.lacked_ms',
    ],
    log: 'info',
  },
  'mesh.gossip.mute': {
    brief:
      'Gossip with a connected peer is broken, and heals do not help. The connection is closed where the mesh may.',
    when: 'once three heals in a row have failed; the connection of one peer is closed for it at most every five minutes',
    attributes: ['mesh.connection.id', 'mesh.peer.id', 'mesh.gossip.lack', 'mesh.gossip.heals', 'mesh.gossip.closes'],
    log: 'warn',
  },
  'mesh.gossip.unsent': {
    brief:
      'Gossipsub had a message that one neighbour does not take, and did not send it there: it would end the stream.',
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
  'mesh.identify.retried': {
    brief: 'A connection has not been identified; identify is run again, since gossipsub waits for it.',
    when: 'at most four times per connection, spaced twice as far each time',
    attributes: ['mesh.connection.id', 'mesh.peer.id', 'mesh.identify.retry'],
    log: 'info',
  },
  'mesh.link.refused': {
    brief: 'A hello was refused; both ends see it.',
    when: 'once per refusal and end',
    attributes: ['mesh.connection.id', 'mesh.peer.id', 'mesh.close.reason', 'mesh.error.message'],
    log: 'warn',
  },
  'mesh.goodbye.sent': {
    brief: 'This end ends the link; root of its end’s trace, linked to its birth.',
    when: 'before a link is closed from here',
    attributes: [...link, 'mesh.goodbye.reason'],
    log: 'debug',
  },
  'mesh.goodbye.received': {
    brief:
      'The other end ends the link; in the trace of its goodbye, or of ours if both crossed and our peer id is lower.',
    when: 'on receipt',
    attributes: [...link, 'mesh.goodbye.reason'],
    log: 'debug',
  },
  'mesh.connection.closed': {
    brief: 'A connection is gone; linked to its birth.',
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
    log: 'info',
  },
  'mesh.connection.superseded': {
    brief: 'Another link of the same pair stays; this one is drained and closed.',
    when: 'on the end that decides, once per loser',
    attributes: [...link, 'mesh.link.survivor', 'mesh.link.rule'],
    log: 'info',
  },
  'mesh.staleness.pruned': {
    brief: 'A sweep over the members: who was silent for longer than allowed.',
    when: 'every 5 s, also when nothing was stale',
    attributes: [
      'mesh.pruned.count',
      'mesh.pruned.peers',
      'mesh.pruned.remaining',
      'mesh.pruned.remaining_band',
      'mesh.pruned.suspended',
    ],
    routine: { whenZero: 'mesh.pruned.count' },
    log: 'trace',
  },
  'mesh.member.joined': {
    brief: 'A node became known as a member.',
    when: 'first digest of a node',
    attributes: [...peer, 'mesh.peer.role', 'mesh.peer.incarnation', 'mesh.member.via'],
    log: 'info',
  },
  'mesh.member.left': {
    brief: 'A member said goodbye.',
    when: 'its goodbye was received',
    attributes: [...peer, 'mesh.peer.incarnation'],
    log: 'info',
  },
  'mesh.member.expired': {
    brief: 'A member was silent for longer than allowed.',
    when: 'in the sweep that found it; child of that `mesh.staleness.pruned`',
    attributes: [...peer, 'mesh.peer.incarnation', 'mesh.member.silence_ms', 'mesh.member.window_ms'],
    log: 'warn',
  },
  'mesh.audit': {
    brief: 'The census: the counts of every layer side by side.',
    when: 'every 30 s',
    attributes: [
      'mesh.audit.verdict',
      'mesh.audit.peers',
      'mesh.audit.members',
      'mesh.audit.links',
      'mesh.audit.guests',
      'mesh.audit.connections',
      'mesh.audit.streams',
      'mesh.audit.gossip_peers',
      'mesh.audit.peer_store',
      'mesh.audit.sockets',
      'mesh.audit.timers',
      'mesh.audit.frames_in',
      'mesh.audit.frames_out',
      'mesh.audit.frames_refused',
      'mesh.audit.sweeps',
      'process.memory.usage',
      'v8js.memory.heap.used',
      'process.cpu.time',
      'nodejs.eventloop.delay.p99',
      'nodejs.eventloop.delay.max',
      'mesh.telemetry.queued',
      'mesh.telemetry.lost_total',
      'mesh.telemetry.sampled_out',
    ],
    optional: registrySizeNames,
    log: 'debug',
  },
  'mesh.audit.peers': registry,
  'mesh.audit.members': registry,
  'mesh.audit.relay_seen': registry,
  'mesh.audit.relay_waiting': registry,
  'mesh.audit.links': registry,
  'mesh.audit.messages': registry,
  'mesh.audit.subscriptions': registry,
  'mesh.audit.requests': registry,
  'mesh.audit.suspect': {
    brief: 'A thing that is held and that nobody owns, or that should have gone.',
    when: 'child of a census, one per suspect, at most 64',
    attributes: ['mesh.connection.id', 'mesh.peer.id', 'mesh.suspect.reason', 'mesh.connection.age_band'],
    log: 'warn',
  },
  'mesh.leak.suspected': {
    brief: 'An invariant is broken.',
    when: 'child of the census that found it',
    attributes: ['mesh.invariant', 'mesh.expected', 'mesh.actual'],
    failed: true,
    log: 'error',
  },
  'mesh.limit.reached': {
    brief: 'Something was refused, evicted or closed because a bound was met.',
    when: 'at most once per bound and second',
    attributes: ['mesh.limit.name', 'mesh.limit.value', 'mesh.limit.action'],
    optional: ['mesh.peer.id'],
    log: 'warn',
  },
  'mesh.frame.refused': {
    brief: 'A frame from a peer could not be read or was not its to send.',
    when: 'per refusal that ends a stream',
    attributes: ['mesh.connection.id', 'mesh.peer.id', 'mesh.frame.reason'],
    log: 'warn',
  },
  'mesh.message.published': {
    brief: 'A message of the application was published here.',
    when: 'sampled, at most one per second over all topics',
    attributes: [
      'mesh.message.topic',
      'mesh.message.id',
      'mesh.message.bytes',
      'mesh.message.recipients',
      ...messaging,
      'messaging.message.body.size',
    ],
    kind: 'producer',
    log: 'trace',
  },
  'mesh.message.received': {
    brief:
      'A traced message of the application arrived; linked to the span that it was published in, and of the same message id.',
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
    optional: ['mesh.message.lateness_ms'],
    kind: 'consumer',
    log: 'trace',
  },
  'mesh.request.sent': {
    brief: 'A request of the application, from its sending to the answer; its status is ERROR when there was none.',
    when: 'sampled, at most one per second over all topics',
    attributes: ['mesh.request.topic', 'mesh.request.bytes', 'mesh.peer.id'],
    optional: ['mesh.response.bytes', 'error.type', 'mesh.error.message'],
    kind: 'client',
    log: 'trace',
  },
  'mesh.request.handled': {
    brief:
      'A handler of the application answered a traced request; child of the span that it was sent in, parent of what the handler does. Its status is ERROR when the handler failed.',
    when: 'sampled, at most one per second over all topics',
    attributes: ['mesh.request.topic', 'mesh.request.bytes', 'mesh.peer.id'],
    optional: ['mesh.response.bytes', 'error.type', 'mesh.error.message'],
    kind: 'server',
    log: 'trace',
  },
  'mesh.bridge.forwarded': {
    brief: 'A message crossed into another mesh here.',
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
    kind: 'producer',
    log: 'debug',
  },
  'mesh.bridge.dropped': {
    brief: 'A message did not cross here, and why.',
    when: 'once per message',
    attributes: ['mesh.bridge.from', 'mesh.bridge.to', 'mesh.bridge.reason', 'mesh.message.id', 'mesh.origin.peer'],
    log: 'debug',
  },
  'mesh.clock.skewed': {
    brief: 'A peer’s clock is off by more than is tolerated.',
    when: 'once per peer until it is right again; of one that is behind after three digests',
    attributes: [...peer, 'mesh.clock.skew_ms', 'mesh.clock.allowed_ms'],
    log: 'warn',
  },
  'mesh.resource.exhausted': {
    brief: 'The process has run out of file descriptors, or of memory for sockets: it accepts and dials nobody.',
    when: 'at the first failure, found at most 5 s later where only inbound connections fail',
    attributes: ['mesh.resource.name', 'error.type', 'mesh.resource.operation'],
    failed: true,
    log: 'error',
  },
  'mesh.resource.recovered': {
    brief: 'The process has the resource again; the span lasts from the first failure on.',
    when: '15 s after the last failure; child of `mesh.resource.exhausted`',
    attributes: [
      'mesh.resource.name',
      'error.type',
      'mesh.resource.failures',
      'mesh.resource.operations',
      'mesh.resource.exhausted_ms',
    ],
    log: 'info',
  },
  'mesh.node.stalled': {
    brief: 'This node slept (stopped, starved) and expires nobody for a while.',
    when: 'when it wakes',
    attributes: ['mesh.stall.slept_ms', 'mesh.stall.suspended_ms'],
    log: 'warn',
  },
  'mesh.telemetry.lost': {
    brief: 'Spans that never left.',
    when: 'when spans can leave again; at exit it is only logged',
    attributes: ['mesh.lost.count', 'mesh.lost.where'],
    failed: true,
    log: 'error',
  },
} as const satisfies Record<string, SpanSpec>

export type SpanName = keyof typeof spans

/** Registries of the census: a fixed set, since each has a span of its own. */
export type RegistryName =
  Extract<SpanName, `mesh.audit.${string}`> extends `mesh.audit.${infer R}` ? Exclude<R, 'suspect'> : never
