import type { DiseaseName } from '../doctor/diseases.ts'

/** A disease that somebody had, and how the zoo gives it to a node. */
export interface Shape {
  /** Name of its scene and recording. */
  readonly id: string
  readonly disease: DiseaseName
  /** Public issue it is taken from; empty for one of a mesh service that preceded this one, or for a known class. */
  readonly issue: string
  /** What happened there. */
  readonly story: string
  readonly planted: 'kit' | 'libp2p' | 'application' | 'process' | 'settings'
  /** What it stands for when the original is of another language or layer. */
  readonly standsFor?: string
  /** It is above the port of the core, so the simulator has it, too. */
  readonly isSimulated: boolean
}

type Row = readonly [
  id: string,
  disease: DiseaseName,
  issue: string,
  story: string,
  planted: Shape['planted'],
  standsFor?: string | undefined,
  isSimulated?: true,
]

const soak = 'the four-day soak of a mesh service'

const rows: readonly Row[] = [
  ['keep-connections', 'link-left-open', '', `${soak}: a reconnect kept the old connection`, 'kit', undefined, true],
  ['topics', 'topics-left', '', `${soak}: digests and topics that only grow`, 'libp2p'],
  ['inserted-only', 'registry-unswept', '', `${soak}: a map of peers that outlives its peers`, 'kit', undefined, true],
  ['joined-peers', 'application-collection', '', `${soak}: a set of joined peers, insert-only`, 'application'],
  ['dialled-once', 'seed-dialled-once', '', `${soak}: seeds dialled once`, 'kit', undefined, true],
  ['peerstore', 'peer-store-unswept', '', 'a peer store that nobody sweeps', 'libp2p'],
  ['skipped-stop', 'incomplete-shutdown', '', 'a stop that ends half way', 'kit'],
  ['failing-stop', 'incomplete-shutdown', '', 'a stop with a step that fails', 'kit'],
  ['endless-events', 'heap-growth', '', 'events on a span that never ends', 'application'],
  ['process-samples', 'heap-growth', '', 'samples of the table of processes', 'application'],
  ['outbound-streams', 'gossip-ghosts', 'js-gossipsub#477', 'an outbound stream kept after the disconnect', 'libp2p'],
  ['phantom-peers', 'gossip-ghosts', 'js-gossipsub#398', 'from 50 peers to 600', 'libp2p'],
  ['empty-topics', 'gossip-ghosts', 'js-gossipsub#542', 'topics without a peer', 'libp2p'],
  ['closed-streams', 'heap-growth', 'js-libp2p#3531', 'closed streams that something still reaches', 'libp2p'],
  ['closed-sockets', 'heap-growth', 'js-libp2p#2477', '15,000 closed sockets pinned by listeners on "drain"', 'libp2p'],
  [
    'creeping-dials',
    'busy-alone',
    'js-libp2p#2418',
    'retries of automatic dials that use ever more CPU',
    'application',
  ],
  ['abort-listeners', 'listeners-left', 'js-libp2p#3560', 'listeners on a long-lived abort signal', 'libp2p'],
  [
    'phantom-buffers',
    'gossip-ghosts',
    'nimbus-eth2#8687',
    '180 phantom pubsub peers a day, 6.9 MB each',
    'libp2p',
    'the buffers of a peer in Nim',
  ],
  [
    'sockets',
    'sockets-left',
    'py-libp2p#1452',
    'connection ids and sockets that stay',
    'application',
    'asyncio transports',
  ],
  ['spin', 'busy-alone', 'py-libp2p#1452', 'a loop that spins', 'application', 'an asyncio task without a wait'],
  [
    'streams',
    'streams-left',
    'memberlist#158',
    'push and pull streams at once without a bound',
    'application',
    'TCP streams of Go',
  ],
  [
    'native',
    'native-growth',
    'quic-go CVE-2024-22189',
    'a queue of retired connection ids',
    'process',
    'the heap of a native QUIC stack',
  ],
  ['pinned-operations', 'heap-growth', 'dd-trace-js#9227', 'finished spans that a context pins', 'application'],
  ['endless-operation', 'heap-growth', 'sentry#22860', 'children of a root that never ends', 'application'],
  ['sockets-per-peer', 'sockets-left', '', 'a socket that only the collector closes', 'libp2p'],
  ['external', 'external-growth', '', 'buffers that nobody frees', 'application'],
  ['files', 'descriptors-left', '', 'files that nobody closes', 'application'],
  ['timers', 'timers-left', '', 'intervals that nobody clears', 'application'],
  ['timers-per-peer', 'timers-left', '', 'a timer per peer that its end does not clear', 'application'],
  ['listeners', 'listeners-left', '', 'listeners on peer:connect', 'application'],
  ['registry', 'application-collection', '', 'sessions that nobody deletes', 'application'],
  ['watch', 'application-collection', '', 'a cache above its bound', 'application'],
  ['kept-members', 'registry-unswept', '', 'a sweep that releases nothing', 'kit', undefined, true],
  ['adopted-only', 'owned-left', '', 'resources that an owner adopts and never releases', 'kit', undefined, true],
  ['held-sweep', 'job-stopped', '', 'a sweep that no longer runs', 'kit', undefined, true],
  ['self-seed', 'self-seed', '', 'a node that has itself as its seed', 'settings', undefined, true],
  ['wrong-identity', 'wrong-identity', '', 'a seed with another key', 'settings', undefined, true],
  ['seed-unreachable', 'seed-unreachable', '', 'a seed that does not answer', 'settings', undefined, true],
  ['never-rearmed', 'retry-not-rearmed', '', 'a give-up without another campaign', 'kit', undefined, true],
  ['hasty-retries', 'retry-storm', '', 'retries without growing delays', 'kit', undefined, true],
  ['retry-storm', 'retry-storm', '', 'six nodes that retry one dead seed', 'process', undefined, true],
  ['duplicate-identity', 'duplicate-identity', '', 'two processes with one key', 'settings', undefined, true],
  [
    'unreachable-address',
    'unreachable-address',
    '',
    'an announced address that nobody reaches',
    'settings',
    undefined,
    true,
  ],
  ['mute-gossip', 'one-way-gossip', '', 'a node whose gossip does not leave it', 'libp2p'],
  ['join-storm', 'join-storm', '', '24 members that join at once', 'process', undefined, true],
  ['skewed-clock', 'clock-skew', '', 'a clock that is an hour ahead', 'kit', undefined, true],
  ['suspended', 'starved-judge', '', 'a process that is suspended again and again', 'process', undefined, true],
  ['lost-spans', 'telemetry-lost', '', 'an export queue that is too short', 'kit'],
  ['slow-receiver', 'telemetry-growth', '', 'a receiver that is slower than its node', 'process'],
  ['alone', 'alone', '', 'a node without seeds', 'settings', undefined, true],
]

/** Every disease of the zoo. */
export const shapes: readonly Shape[] = rows.map(([id, disease, issue, story, planted, standsFor, simulated]) => ({
  id,
  disease,
  issue,
  story,
  planted,
  ...(standsFor !== undefined && { standsFor }),
  isSimulated: simulated === true,
}))
