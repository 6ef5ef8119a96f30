import { MeshError } from '../core/errors.ts'
import type { DiseaseName } from '../doctor/diseases.ts'
import type { Scene, SceneNode } from './scene.ts'

/** The node that is ill. */
const ill = 'node-3'
/** A peer id that no node of a scene has. */
const strangePeer = '12D3KooWRBhwfeP2Y4TCx1SM6s9rUoHhR5STiGwxBhgFRcw3UERE'
const named = (...numbers: number[]): SceneNode[] => numbers.map((number) => ({ name: `node-${number}` }))

/** What a disease leaves of each peer shows the sooner the more peers come and go. */
const crowded: Partial<Scene> = { guests: 2 }

/** A mesh of four with one ill node. */
function planted(
  name: string,
  disease: DiseaseName,
  part: string,
  node: Partial<SceneNode> = { plant: name },
  scene: Partial<Scene> = {},
): Scene {
  const nodes = [...named(1, 2), { name: ill, ...node }, ...named(4)]
  return { name, truth: { disease, nodes: [ill], part }, nodes, ...scene }
}

/** A fault of the seeds of a node, of which one does not run; that is true of it, too. */
function failing(plant: string, disease: DiseaseName, seeds: readonly string[], also: DiseaseName): Scene {
  const truth = { disease, nodes: [ill], part: '', also: [also] }
  return planted(plant, disease, '', { plant, seeds }, { truth })
}

const clean: readonly Scene[] = [
  { name: 'clean-quiet', nodes: named(1, 2, 3, 4), churn: 'none' },
  { name: 'clean-churn', nodes: named(1, 2, 3, 4) },
  { name: 'clean-kills', nodes: named(1, 2, 3, 4), churn: 'kills' },
  {
    name: 'clean-restarts',
    nodes: named(1, 2, 3, 4),
    acts: named(4, 3, 2).map(({ name }, index) => ({ do: 'restart', node: name, afterMs: 5_000 + index * 40_000 })),
  },
  { name: 'clean-load', nodes: named(1, 2, 3, 4), acts: [{ do: 'crowd', count: 6 }] },
  // A leak that no span can resolve: no name is right.
  { name: 'clean-below', nodes: [...named(1, 2), { name: ill, plant: 'native-slow' }, ...named(4)] },
  { name: 'clean-overload', nodes: named(1, 2, 3, 4), acts: [{ do: 'overload', count: 6 }] },
]

const memory: readonly Scene[] = [
  planted('external', 'external-growth', ''),
  planted('native', 'native-growth', ''),
  planted('endless-operation', 'heap-growth', ''),
  planted('pinned-operations', 'heap-growth', '', undefined, crowded),
  planted('endless-events', 'heap-growth', ''),
  planted('process-samples', 'heap-growth', ''),
  planted('closed-sockets', 'heap-growth', '', undefined, crowded),
]

const handles: readonly Scene[] = [
  planted('sockets', 'sockets-left', 'udp'),
  planted('sockets-per-peer', 'sockets-left', 'tcp', undefined, crowded),
  planted('files', 'descriptors-left', 'file'),
  planted('timers', 'timers-left', ''),
  planted('timers-per-peer', 'timers-left', '', undefined, crowded),
  planted('listeners', 'listeners-left', 'peer:connect'),
  planted('abort-listeners', 'listeners-left', 'signals', undefined, crowded),
]

const tables: readonly Scene[] = [
  planted('streams', 'streams-left', '/blobs/1.0.0'),
  planted('streams-slow', 'streams-left', '/blobs/1.0.0', undefined, crowded),
  planted('closed-streams', 'heap-growth', ''),
  planted('topics', 'topics-left', ''),
  planted('peerstore', 'peer-store-unswept', ''),
  planted('registry', 'application-collection', 'sessions'),
  planted('watch', 'application-collection', 'cache'),
  planted('joined-peers', 'application-collection', 'joined', undefined, crowded),
  planted('phantom-peers', 'gossip-ghosts', ''),
  planted('phantom-buffers', 'gossip-ghosts', '', undefined, crowded),
  planted('outbound-streams', 'gossip-ghosts', '', undefined, crowded),
  planted('empty-topics', 'gossip-ghosts', ''),
  planted('inserted-only', 'registry-unswept', 'requests'),
  // Members leave their registry soon enough for a run of minutes.
  {
    name: 'kept-members',
    truth: { disease: 'registry-unswept', nodes: [ill], part: 'members' },
    nodes: named(1, 2, 3, 4).map((node) => ({
      ...node,
      env: { MESH_STALENESS_MS: '5000' },
      ...(node.name === ill && { plant: 'kept-members' }),
    })),
  },
  planted('adopted-only', 'owned-left', 'paths'),
  planted('held-sweep', 'job-stopped', 'mesh.staleness.pruned'),
]

const links: readonly Scene[] = [
  {
    name: 'keep-connections',
    truth: { disease: 'link-left-open', nodes: [ill, 'node-4'], part: 'connections' },
    nodes: [
      ...named(1, 2),
      { name: ill, plant: 'keep-connections-passively' },
      { name: 'node-4', plant: 'keep-connections', seeds: [ill] },
    ],
  },
  planted('self-seed', 'self-seed', '', { seeds: ['node-1', ill] }),
  planted('wrong-identity', 'wrong-identity', '', { seeds: [`node-1/p2p/${strangePeer}`, 'node-2'] }),
  planted('seed-unreachable', 'seed-unreachable', '', { seeds: ['node-1', 'node-8'] }),
  failing('dialled-once', 'seed-dialled-once', ['node-8'], 'alone'),
  failing('never-rearmed', 'retry-not-rearmed', ['node-8'], 'alone'),
  failing('hasty-retries', 'retry-storm', ['node-1', 'node-8'], 'seed-unreachable'),
  {
    name: 'retry-storm',
    truth: { disease: 'retry-storm', nodes: [], part: '', also: ['seed-unreachable'] },
    nodes: [...named(1, 8), ...named(2, 3, 4, 5, 6, 7).map((node) => ({ ...node, seeds: ['node-1', 'node-8'] }))],
    acts: [{ do: 'kill', node: 'node-8' }],
  },
  {
    name: 'duplicate-identity',
    truth: { disease: 'duplicate-identity', nodes: [ill, 'node-4'], part: '' },
    nodes: [...named(1, 2), { name: ill, key: 'shared' }, { name: 'node-4', key: 'shared' }],
  },
  // Its seed is its only neighbour: others have to reach it.
  planted(
    'unreachable-address',
    'unreachable-address',
    '',
    { env: { MESH_ANNOUNCE: '/ip4/127.0.0.1/udp/9/quic-v1', MESH_NEIGHBOURS: '1' } },
    { watchMs: 180_000 },
  ),
  planted('mute-gossip', 'one-way-gossip', ''),
  {
    name: 'join-storm',
    truth: { disease: 'join-storm', nodes: ['node-1', ''], part: '' },
    nodes: [{ name: 'node-1', env: { MESH_CONNECTIONS_HIGH: '6', MESH_NEIGHBOURS: '4' } }, ...named(2, 3, 4)],
    acts: [{ do: 'crowd', count: 24 }],
  },
  planted('skewed-clock', 'clock-skew', '', { faults: 'skew-clock' }),
  planted('suspended', 'starved-judge', '', {}, { acts: [{ do: 'suspend', node: ill, ms: 9_000, everyMs: 35_000 }] }),
  planted('failing-stop', 'incomplete-shutdown', ''),
  planted('skipped-stop', 'incomplete-shutdown', ''),
  planted('lost-spans', 'telemetry-lost', '', { faults: 'lose-spans' }),
  // Three quarters of its spans arrive, so the receiver sees the queue of a while ago.
  planted(
    'slow-receiver',
    'telemetry-growth',
    '',
    { plant: 'unsampled-messages', answerMs: 2_000, env: { OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '96' } },
    { watchMs: 140_000 },
  ),
  planted(
    'spin',
    'busy-alone',
    '',
    { plant: 'spin', seeds: [] },
    { nodes: [{ name: ill, plant: 'spin' }], churn: 'none' },
  ),
  // Each dial has a timer until its time is over.
  planted('creeping-dials', 'busy-alone', '', undefined, {
    truth: { disease: 'busy-alone', nodes: [ill], part: '', also: ['timers-left'] },
  }),
  planted('alone', 'alone', '', { seeds: [] }),
]

/** Mistakes of an application, with the class that a rule may name; see `Truth.isOutside`. */
const outside: readonly Scene[] = (
  [
    ['outside-sessions', 'heap-growth', 'heap'],
    ['outside-orders', 'heap-growth', 'heap'],
    ['outside-emitter', 'heap-growth', 'heap'],
    ['outside-intervals', 'timers-left', 'timers'],
    ['outside-buffers', 'external-growth', 'buffers'],
    ['outside-streams', 'streams-left', '/notes/1.0.0'],
  ] as const
).map(([name, disease, part]) => ({
  name,
  truth: { disease, nodes: [ill], part, isOutside: true },
  nodes: [
    ...named(1, 2),
    { name: ill, program: 'application', plant: name },
    { name: 'node-4', program: 'application' },
  ],
  guests: 2,
}))

/** Every run of real processes. */
export const scenes: readonly Scene[] = [...clean, ...memory, ...handles, ...tables, ...links, ...outside]

/** The scenes of these names, or each one for `all`. */
export function scenesNamed(names: readonly string[]): readonly Scene[] {
  return names.includes('all') ? scenes : names.map(findScene)
}

/** @throws Error for an unknown name. */
export function findScene(name: string): Scene {
  const scene = scenes.find((one) => one.name === name)
  if (scene === undefined)
    throw new MeshError('MESH_CONFIG_INVALID', { key: 'scene', given: name, expected: 'a name of the zoo' })
  return scene
}
