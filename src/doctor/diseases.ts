/** What a verdict and the page of a disease say of its kind. */
export interface Disease {
  readonly title: string
  /** What it is, in one sentence. */
  readonly meaning: string
  /** What to do. */
  readonly remedy: string
  /** What to measure next, where the remedy needs more than the traces say. */
  readonly next: string
  /**
   * Diseases whose findings are symptoms of this one, unless they began earlier.
   */
  readonly causes?: readonly Symptom[]
}

export interface Symptom {
  readonly disease: string
  /** At the owner alone, at the nodes named with it (`alsoAt`) too, or anywhere in the mesh. */
  readonly at: 'owner' | 'node' | 'mesh'
  /** Of the owner, if only a finding about this part is a symptom. */
  readonly part?: string
  /** Only a finding about the seed of the cause is a symptom. */
  readonly isSameSeed?: boolean
}

/** Part of a process where nothing that is counted grows, and its memory does. */
export const memoryPart = 'memory of the process'
const unnamedMemory = { disease: 'growth-unknown', at: 'owner', part: memoryPart } as const satisfies Symptom

const memory = [
  { disease: 'heap-growth', at: 'owner' },
  { disease: 'external-growth', at: 'owner' },
  { disease: 'native-growth', at: 'owner' },
  { disease: 'growth-unknown', at: 'node' },
] as const satisfies readonly Symptom[]
const handles = [
  { disease: 'timers-left', at: 'owner' },
  { disease: 'sockets-left', at: 'owner' },
  { disease: 'descriptors-left', at: 'owner' },
  { disease: 'listeners-left', at: 'owner' },
  { disease: 'streams-left', at: 'owner' },
] as const satisfies readonly Symptom[]
const probe =
  'tracemesh doctor --probe HOST:PORT names the functions that grow; HOST:PORT is the address of the node’s --pprof.'
/** A stop finds what leaked still open. */
const stop = { disease: 'incomplete-shutdown', at: 'owner' } as const satisfies Symptom

/**
 * Every disease that the doctor can name. The order is that of findings which are equally certain: what names its owner
 * exactly comes before what is only a class of memory.
 */
export const diseases = {
  'duplicate-identity': {
    title: 'Two processes of one identity',
    meaning: 'Two processes run with one key, so their links supersede each other.',
    remedy: 'Stop one of the two, remove its copy of the key file (MESH_IDENTITY), and start it again.',
    next: 'Look which machine has the other address (mesh.identity.addresses).',
    causes: [
      { disease: 'link-left-open', at: 'node' },
      { disease: 'alone', at: 'node' },
      { disease: 'retry-storm', at: 'node' },
      { disease: 'join-storm', at: 'node' },
    ],
  },
  'self-seed': {
    title: 'A seed that is the node itself',
    meaning: 'A seed address leads to the node itself, so it can never help the node to join.',
    remedy: 'Remove the address from MESH_SEEDS of this node, or name another node there.',
    next: '',
    causes: [{ disease: 'alone', at: 'node' }],
  },
  'wrong-identity': {
    title: 'Another identity at a seed address',
    meaning: 'The node that answers at the seed address has another peer id than the address names.',
    remedy: 'Correct the peer id in MESH_SEEDS, or remove it: the seed has a new key.',
    next: 'Compare the peer id that the seed logs at its start.',
    causes: [
      { disease: 'alone', at: 'node' },
      { disease: 'seed-unreachable', at: 'node' },
    ],
  },
  'seed-dialled-once': {
    title: 'A seed dialled once',
    meaning: 'The node dialled a seed a single time, in vain, and never again.',
    remedy: 'Look for an error in the log after that attempt; restart the node; report it.',
    next: '',
    causes: [{ disease: 'alone', at: 'node' }],
  },
  'retry-not-rearmed': {
    title: 'A give-up without another campaign',
    meaning: 'A node gave up a seed and did not start another campaign within the stated time.',
    remedy: 'Restart the node; report it with these traces.',
    next: '',
    causes: [{ disease: 'alone', at: 'node' }],
  },
  'retry-storm': {
    title: 'Retry storm',
    meaning: 'Many nodes retry a seed at once, or one node retries faster than its delays allow.',
    remedy: 'Start the seed that all of them name, or correct the name, firewall or setting at the common stage.',
    next: 'Compare mesh.dial.stage and mesh.seed.address of the campaigns.',
    causes: [
      { disease: 'seed-unreachable', at: 'node', isSameSeed: true },
      { disease: 'alone', at: 'node' },
    ],
  },
  'seed-unreachable': {
    title: 'A seed that does not answer',
    meaning: 'Every attempt to reach a seed fails at the same stage.',
    remedy: 'Start the seed, or correct its address, the name server or the firewall, as the stage says.',
    next: '',
    causes: [{ disease: 'alone', at: 'node' }],
  },
  'unreachable-address': {
    title: 'An address that nobody can reach',
    meaning: 'Others fail to dial the node at the addresses it announces.',
    remedy: 'Map the port, open the firewall, or set MESH_ANNOUNCE.',
    next: '',
    causes: [{ disease: 'alone', at: 'node' }],
  },
  'one-way-gossip': {
    title: 'One-way gossip',
    meaning: 'A peer is linked, but gossip passes in one direction or not at all.',
    remedy: 'Look at the other pubsub settings and versions of that peer; restart it if heals do not help.',
    next: '',
  },
  'join-storm': {
    title: 'Join storm',
    meaning: 'So many peers join at once that limits refuse some, or joins take long.',
    remedy: 'Spread the starts, add seeds, or raise MESH_INBOUND_RATE and MESH_CONNECTIONS_HIGH.',
    next: '',
    causes: [
      { disease: 'alone', at: 'node' },
      { disease: 'retry-storm', at: 'node' },
      { disease: 'seed-unreachable', at: 'node' },
    ],
  },
  'clock-skew': {
    title: 'A wrong clock',
    meaning: 'The clock of a node differs from those of the others by more than is tolerated.',
    remedy: 'Synchronize the clock of that machine.',
    next: '',
  },
  'starved-judge': {
    title: 'A node that sleeps or starves',
    meaning: 'The node was suspended, or got no CPU: it suspended its own judgement, and others may have missed it.',
    remedy: 'Give its machine or container more CPU, or stop suspending it.',
    next: 'Compare nodejs.eventloop.delay.max of the nodes on that host.',
    causes: [{ disease: 'busy-alone', at: 'node' }],
  },
  'incomplete-shutdown': {
    title: 'Incomplete shutdown',
    meaning: 'The stop missed a step, a step failed, or the stopped node still holds something.',
    remedy: 'Look at the failed step (mesh.node.step) and at what the node still holds (mesh.stop.held).',
    next: '',
  },
  'job-stopped': {
    title: 'A periodic job that stopped',
    meaning: 'A periodic span of a node no longer comes while its other spans do.',
    remedy: 'Restart the node; look for an error in its log at the time of the last span of the job.',
    next: '',
    causes: [
      ...memory,
      { disease: 'registry-unswept', at: 'node' },
      { disease: 'peer-store-unswept', at: 'node' },
      { disease: 'gossip-ghosts', at: 'node' },
    ],
  },
  'limits-off': {
    title: 'A limit that does not limit',
    meaning: 'A count stays above its limit.',
    remedy: 'Restart the node to get below the limit; report it with these traces: a limit that is set has to hold.',
    next: '',
  },
  'link-left-open': {
    title: 'Connections that nobody closes',
    meaning:
      'A pair of nodes has connections that lost to another one, or that an end wants closed, and are still open.',
    remedy: 'Look at the proving traces which end does not close. A restart of that node frees them.',
    next: '',
    causes: [
      ...memory,
      ...handles,
      { disease: 'incomplete-shutdown', at: 'node' },
      { disease: 'one-way-gossip', at: 'node' },
    ],
  },
  'gossip-ghosts': {
    title: 'Gossip peers without a connection',
    meaning: 'Tables of gossipsub have peers that are gone.',
    remedy: 'Look whether the sweep of gossipsub runs (mesh.gossip.swept); restart the node; report it.',
    next: '',
    causes: memory,
  },
  'topics-left': {
    title: 'Topics that only grow',
    meaning: 'A node subscribes to topics and never leaves them; they fill the tables of all its neighbours.',
    remedy: 'Unsubscribe from topics that are no longer used, in the code of that node’s application.',
    next: '',
    causes: [...memory, { disease: 'heap-growth', at: 'mesh' }],
  },
  'peer-store-unswept': {
    title: 'Peer store that only grows',
    meaning: 'Records of departed peers stay in libp2p’s peer store.',
    remedy:
      'Look at mesh.peerstore.errors of the sweeps; in an application set sweep: "all", or remove the tags that keep the records.',
    next: '',
    causes: memory,
  },
  'application-collection': {
    title: 'A collection of the application that only grows',
    meaning: 'A collection that the application registered with registry() or watch() grows without end.',
    remedy: 'Delete its entries when their subject is gone, in the code of the application.',
    next: '',
    causes: memory,
  },
  'registry-unswept': {
    title: 'A registry that nothing empties',
    meaning: 'Entries of a registry are added and not released.',
    remedy: 'Look at the owner that the verdict names; the release reason that stands still is the missing one.',
    next: '',
    causes: [...memory, ...handles, stop],
  },
  'streams-left': {
    title: 'Streams that nobody closes',
    meaning: 'Open streams of one protocol grow.',
    remedy: 'Close or abort streams of this protocol in the code that opens or handles them.',
    next: '',
    causes: [...memory, { disease: 'listeners-left', at: 'node' }, { disease: 'limits-off', at: 'node' }, stop],
  },
  'listeners-left': {
    title: 'Listeners that nobody removes',
    meaning: 'The listeners on one event of a long-lived target grow.',
    remedy: 'Remove the listener when its subject ends, or add it with once or a signal.',
    next: '',
    causes: memory,
  },
  'timers-left': {
    title: 'Timers that nobody clears',
    meaning: 'The timers of the process grow.',
    remedy: 'Clear the timers when their subject ends.',
    next: 'The list of handles names each timer’s origin: see "Profiles" in docs/operating.md.',
    causes: memory,
  },
  'sockets-left': {
    title: 'Sockets that nobody closes',
    meaning: 'The open sockets of one kind grow beyond what the connections need.',
    remedy: 'Close the sockets in the code that opens them.',
    next: 'The list of handles names each socket: see "Profiles" in docs/operating.md.',
    causes: [...memory, { disease: 'descriptors-left', at: 'node' }, stop],
  },
  'descriptors-left': {
    title: 'Files that nobody closes',
    meaning: 'The open file descriptors of one kind grow.',
    remedy: 'Close the files in the code that opens them.',
    next: 'ls -l /proc/PID/fd names them.',
    causes: memory,
  },
  'owned-left': {
    title: 'Resources of an owner that only grow',
    meaning: 'An owner adopts timers, resources or children and does not release them.',
    remedy: 'Look at the owner that the verdict names: it should close its children.',
    next: '',
    causes: [...memory, { disease: 'timers-left', at: 'node' }, stop],
  },
  'telemetry-lost': {
    title: 'Lost telemetry',
    meaning: 'Spans of a node were lost, so other verdicts about it are less sure.',
    remedy:
      'Start the receiver, or raise OTEL_BSP_MAX_QUEUE_SIZE: see "Were spans lost?" in docs/diagnosing.md for the cure of each cause.',
    next: '',
  },
  'telemetry-growth': {
    title: 'An export queue that grows',
    meaning: 'The node produces spans faster than its receiver accepts them.',
    remedy: 'Look at the receiver; lower MESH_TRACE_ROUTINE.',
    next: '',
    causes: memory,
  },
  'heap-growth': {
    title: 'JavaScript objects that nobody frees',
    meaning: 'The heap that major collections leave grows, and no counted thing grows with it.',
    remedy: 'The functions at the heap sites allocate what stays: free it there.',
    next: probe,
    causes: [unnamedMemory],
  },
  'external-growth': {
    title: 'Buffers that nobody frees',
    meaning: 'Memory outside the heap that JavaScript objects hold grows over major collections.',
    remedy: 'The functions at the heap sites allocate the buffers that stay: free them there.',
    next: probe,
    causes: [unnamedMemory],
  },
  'native-growth': {
    title: 'Native memory that grows',
    meaning: 'Resident memory grows while the heap and the buffers of JavaScript do not: it is in native code.',
    remedy:
      'Start it once with MALLOC_ARENA_MAX=2: if the growth ends, it was fragmentation; if not, try another version of its native modules, such as @libp2p/quic.',
    next: 'Compare the maps of the process (/proc/PID/smaps_rollup) over an hour.',
    causes: [unnamedMemory],
  },
  'growth-unknown': {
    title: 'Growth, cause unknown',
    meaning: 'Something that the census counts grows, and no rule knows why.',
    remedy: 'Look in the code of the named owner for what it adds and never removes.',
    next: probe,
    causes: memory,
  },
  'busy-alone': {
    title: 'CPU that no peer explains',
    meaning: 'The process uses CPU that none of its peers or messages explains.',
    remedy: 'Give the loop or the retries that a CPU profile shows a wait between two turns.',
    next: 'A CPU profile of the node: see "Profiles" in docs/operating.md.',
  },
  alone: {
    title: 'Alone',
    meaning: 'The node has no peer.',
    remedy: 'Correct what its attempts to join report: see "Why is this node alone?" in docs/diagnosing.md.',
    next: '',
  },
} as const satisfies Readonly<Record<string, Disease>>

export type DiseaseName = keyof typeof diseases
export const diseaseNames = Object.keys(diseases) as readonly DiseaseName[]

/** Diseases of which something grows without end, those without a known cause left out. */
export const growing: readonly DiseaseName[] = [
  'link-left-open',
  'gossip-ghosts',
  'topics-left',
  'peer-store-unswept',
  'application-collection',
  'registry-unswept',
  'streams-left',
  'listeners-left',
  'timers-left',
  'sockets-left',
  'descriptors-left',
  'owned-left',
  'telemetry-growth',
  'heap-growth',
  'external-growth',
  'native-growth',
]
/** Those with which something stays that should have gone with its peer, for whatever cause. */
export const leaking: readonly DiseaseName[] = [...growing, 'job-stopped', 'growth-unknown']

/** A disease with its defaults. */
export function diseaseOf(name: DiseaseName): Disease {
  return diseases[name]
}
