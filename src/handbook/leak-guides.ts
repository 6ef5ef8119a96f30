import type { DiseaseName } from '../doctor/diseases.ts'
import type { Guide } from './guide.ts'

const leaks = 'What leaks?'
/** Of counts in the census, which has no history of its own. */
const twoCensuses = 'The first and the last census of the period, at about the same number of connections.'

/** How diseases of things that stay look in Jaeger. */
export const leakGuides = {
  'incomplete-shutdown': {
    causedBy: ['a step of the stop that throws or hangs', 'something that was opened without an owner'],
    search: { span: 'mesh.node.stopped' },
    attributes: ['mesh.stop.expected', 'mesh.stop.run', 'mesh.stop.missing', 'mesh.stop.failed', 'mesh.stop.held'],
    compare:
      '`mesh.stop.run` has all of `mesh.stop.expected`, and `mesh.stop.missing`, `mesh.stop.failed` and `mesh.stop.held` are empty, after a complete stop. Each `mesh.node.step` below it has its duration and its error.',
    section: 'Was a stop complete?',
  },
  'job-stopped': {
    causedBy: ['an exception in the job', 'a timer that was cleared, or that waits for a promise which never settles'],
    search: { span: 'mesh.audit' },
    attributes: ['mesh.audit.sweeps'],
    compare:
      '`mesh.audit.sweeps` rises by six from one census to the next; here it stands still. For the other jobs, search `mesh.window` (every minute), `mesh.peerstore.swept` (two minutes) or `mesh.staleness.pruned` (5 s) of the node, and look when the last one came while others went on. Sampling (MESH_TRACE_ROUTINE) leaves out some of them.',
    alerts: ['MeshPrunerSilent'],
    section: leaks,
  },
  'limits-off': {
    causedBy: ['a limit that is enforced in another place than the count', 'an error in the bookkeeping of a limit'],
    search: { span: 'mesh.audit' },
    attributes: ['mesh.audit.limits'],
    compare:
      'A line of `mesh.audit.limits` is the name, the refusals, and usage/limit. In consecutive censuses the usage is above the limit. `mesh.node.limits` of `mesh.node.started` has the limits as the node took them.',
    section: 'Why can no peer connect?',
  },
  'link-left-open': {
    causedBy: [
      'a reconnect that keeps the old connection',
      'an end that never answers the close of the other one',
      'connections that the node opens past its ledger',
    ],
    search: { span: 'mesh.audit.suspect', tags: { 'mesh.suspect.change': 'appeared' } },
    attributes: ['mesh.suspect.reason', 'mesh.connection.id', 'mesh.connection.age_band', 'mesh.peer.id'],
    compare:
      'Follow the link of the span to the `mesh.connection.opened` of its birth, and search for `mesh.connection.closed` with the same `mesh.connection.id`: none, or one at the other end alone. `mesh.leak.suspected` with the invariant `one-link-per-pair` names pairs with several connections.',
    alerts: ['MeshSuspects', 'MeshLeakSuspected', 'MeshConnectionsNotClosed'],
    section: leaks,
  },
  'gossip-ghosts': {
    causedBy: ['an event of a disconnect that gossipsub missed', 'a table that the sweep of gossipsub does not cover'],
    search: { span: 'mesh.leak.suspected', tags: { 'mesh.invariant': 'gossip-peers-connected' } },
    attributes: ['mesh.expected', 'mesh.actual', 'mesh.invariant.ids', 'mesh.invariant.broken_ms'],
    compare:
      'The peers in `mesh.invariant.ids` have no open connection with this node. In the census `mesh.audit.gossip_peers` is above `mesh.audit.connections`, or one of `mesh.audit.gossip.streams_out`, `mesh.audit.gossip.scores` and `mesh.audit.gossip.topics` grows alone.',
    alerts: ['MeshLeakSuspected'],
    section: leaks,
  },
  'topics-left': {
    causedBy: [
      'an application that subscribes to a topic per peer, room or session',
      'subscriptions past the mesh API',
    ],
    search: { span: 'mesh.audit' },
    attributes: [
      'mesh.audit.gossip.other_subscriptions',
      'mesh.audit.gossip.most_topics',
      'mesh.audit.gossip.most_topics_peer',
    ],
    compare: `${twoCensuses} \`mesh.audit.gossip.topics\` grows at all nodes; the guilty one is the only one whose \`mesh.audit.gossip.other_subscriptions\` grows, and the others name it in \`mesh.audit.gossip.most_topics_peer\`.`,
    section: leaks,
  },
  'peer-store-unswept': {
    causedBy: ['a sweep that fails or is off', 'tags of the application that keep records of departed peers'],
    search: { span: 'mesh.peerstore.swept' },
    attributes: ['mesh.peerstore.before', 'mesh.peerstore.judged', 'mesh.peerstore.removed', 'mesh.peerstore.errors'],
    compare:
      '`mesh.peerstore.judged` should be as large as `mesh.peerstore.before`, and `mesh.peerstore.errors` 0. `mesh.audit.peer_store` of later censuses follows `mesh.audit.connections`; here it follows `mesh.audit.opened_total`.',
    alerts: ['MeshLeakSuspected'],
    section: leaks,
  },
  'application-collection': {
    causedBy: ['entries that are added when a peer joins and not deleted when it leaves', 'a cache without a bound'],
    search: { span: 'mesh.audit.application' },
    attributes: ['mesh.registry.name', 'mesh.registry.size', 'mesh.registry.added', 'mesh.registry.released'],
    compare: `${twoCensuses} \`mesh.registry.added\` rises, and \`mesh.registry.released\` stands still or falls behind. \`mesh.audit.applications\` has all sizes.`,
    section: leaks,
  },
  'registry-unswept': {
    causedBy: ['a sweep that leaves out this registry', 'a code path that adds an entry and never releases it'],
    search: { span: 'mesh.audit.requests' },
    attributes: ['mesh.registry.added', 'mesh.registry.removed', 'mesh.registry.expired', 'mesh.registry.owner'],
    compare: `Search \`mesh.audit.\` and the name of the registry. ${twoCensuses} The release reason that stands still, while \`mesh.registry.added\` rises, is the missing one; \`mesh.registry.owner\` names who should release.`,
    alerts: ['MeshRegistryGrowing', 'MeshLeakSuspected'],
    section: leaks,
  },
  'streams-left': {
    causedBy: ['a handler that does not close its stream', 'a caller that waits for an answer without a limit of time'],
    search: { span: 'mesh.audit' },
    attributes: ['mesh.audit.streams', 'mesh.audit.streams_half_closed', 'mesh.audit.protocols'],
    compare: `${twoCensuses} A line of \`mesh.audit.protocols\` is the protocol, its inbound, outbound and half closed streams, and the age of the oldest in seconds. Half closed ones: the other end has finished, and this one has to close. Otherwise the end that opened them has to.`,
    section: leaks,
  },
  'listeners-left': {
    causedBy: ['a listener per peer or request on a target that lives as long as the process'],
    search: { span: 'mesh.audit' },
    attributes: ['mesh.audit.listeners', 'mesh.audit.listeners_signals', 'mesh.audit.listeners_largest_event'],
    compare: `${twoCensuses} \`mesh.audit.listeners_largest_event\` names the target and the event with most of them; \`mesh.audit.listeners_connections\` ends with the connections and is no leak.`,
    section: leaks,
  },
  'timers-left': {
    causedBy: ['an interval per peer or request that nobody clears', 'a timeout that is set anew and not replaced'],
    search: { span: 'mesh.audit' },
    attributes: ['mesh.audit.timers', 'mesh.audit.timers_unref', 'mesh.audit.owned'],
    compare: `${twoCensuses} If a line of \`mesh.audit.owned\` grows with them, that owner has them; otherwise they are of the application or of a library.`,
    section: leaks,
  },
  'sockets-left': {
    causedBy: ['sockets that only the garbage collector closes', 'a client that opens a socket per request'],
    search: { span: 'mesh.audit' },
    attributes: ['mesh.audit.sockets_udp', 'mesh.audit.sockets_tcp', 'process.unix.file_descriptor.count'],
    compare: `${twoCensuses} Take censuses between which \`mesh.memory.major_gcs_total\` has risen: a collection closes the sockets of objects that are gone.`,
    alerts: ['MeshResourcesExhausted'],
    section: leaks,
  },
  'descriptors-left': {
    causedBy: ['files that the application opens and does not close', 'pipes of child processes'],
    search: { span: 'mesh.audit' },
    attributes: ['mesh.audit.descriptors_file', 'mesh.audit.descriptors_pipe', 'process.unix.file_descriptor.count'],
    compare: `${twoCensuses} The kind that rises with \`process.unix.file_descriptor.count\` is the leak.`,
    alerts: ['MeshResourcesExhausted'],
    section: leaks,
  },
  'owned-left': {
    causedBy: ['an owner that adopts a child per connection and lives longer than the connection'],
    search: { span: 'mesh.audit' },
    attributes: ['mesh.audit.owned', 'mesh.audit.adopted_total', 'mesh.audit.released_total'],
    compare: `${twoCensuses} A line of \`mesh.audit.owned\` is the owner, the kind and how many it holds. \`mesh.audit.adopted_total\` less \`mesh.audit.released_total\` is the sum of all.`,
    alerts: ['MeshLeakSuspected'],
    section: leaks,
  },
  'telemetry-lost': {
    causedBy: ['a receiver that was away for longer than the queue lasts', 'a receiver that refuses batches'],
    search: { span: 'mesh.telemetry.lost' },
    attributes: ['mesh.lost.count', 'mesh.lost.where'],
    compare:
      '`mesh.telemetry.lost_total` of two censuses. A gap in `mesh.seq` of the spans of one `service.instance.id` is a lost span, too, wherever it was lost.',
    alerts: ['MeshTelemetryLost'],
    section: 'Were spans lost?',
  },
  'telemetry-growth': {
    causedBy: ['a receiver or a network that is slower than the node emits spans'],
    search: { span: 'mesh.audit' },
    attributes: ['mesh.telemetry.queued'],
    compare:
      '`mesh.telemetry.queued` rises from census to census. At one node: its path to the receiver. At all nodes: the receiver itself.',
    alerts: ['MeshCollectorRefusing'],
    section: 'Were spans lost?',
  },
  'heap-growth': {
    causedBy: [
      'an array, Map or closure that nobody counts and that keeps what has ended',
      'a span, context or promise that never ends and pins what refers to it',
    ],
    search: { span: 'mesh.heap.site' },
    attributes: ['code.function.name', 'code.file.path', 'mesh.heap.share'],
    compare:
      '`mesh.memory.heap_floor` of censuses between which `mesh.memory.major_gcs_total` has risen. Floors of a clean node spread over 1.2 MB, so a smaller rise shows nothing. If a count of the census rises with them, that count is the leak.',
    alerts: ['MeshRoleOverBudget'],
    section: leaks,
  },
  'external-growth': {
    causedBy: ['buffers in a queue that nobody reads', 'a small view that keeps a large buffer'],
    search: { span: 'mesh.heap.site' },
    attributes: ['code.function.name', 'code.file.path', 'mesh.heap.share'],
    compare:
      '`mesh.memory.external_floor` of censuses between which `mesh.memory.major_gcs_total` has risen. Floors of a clean node spread over 0.2 MB.',
    alerts: ['MeshRoleOverBudget'],
    section: leaks,
  },
  'native-growth': {
    causedBy: ['a leak in a native module, such as a QUIC stack', 'an allocator that does not return freed pages'],
    search: { span: 'mesh.audit' },
    attributes: ['process.memory.usage', 'mesh.memory.heap_floor', 'mesh.memory.external_floor'],
    compare: `${twoCensuses} \`process.memory.usage\` rises, and both floors do not.`,
    alerts: ['MeshRoleOverBudget'],
    section: leaks,
  },
  'growth-unknown': {
    causedBy: ['a leak of a kind that no rule knows'],
    search: { span: 'mesh.audit' },
    attributes: ['mesh.audit.verdict'],
    compare: `${twoCensuses} The verdict names the attribute that rises; look which other attributes and which spans of the node rise with it.`,
    alerts: ['MeshLeakSuspected', 'MeshRoleOverBudget'],
    section: leaks,
  },
  'busy-alone': {
    causedBy: ['a loop without a wait', 'retries without a delay', 'work of the application'],
    search: { span: 'mesh.audit', tags: { 'mesh.audit.connections': '0' } },
    attributes: ['process.cpu.time', 'mesh.audit.connections', 'nodejs.eventloop.delay.max'],
    compare:
      '`process.cpu.time` counts seconds: its rise between two censuses, by the 30 s between them, is the share of a CPU. An idle node uses less than 1 %.',
    alerts: ['MeshRoleOverBudget'],
    section: 'Why is this node alone?',
  },
} as const satisfies Readonly<Partial<Record<DiseaseName, Guide>>>
