import { createHash } from 'node:crypto'
import type { Role } from '../catalogue/roles.ts'
import { MeshError } from '../core/errors.ts'
import type { LabNode } from './lab-node.ts'

/** Size of a lab. */
export interface LabSize {
  /** Nodes of each mesh, without bridges. */
  readonly nodes: number
  readonly meshes: number
  readonly bridges: number
}

/** The plan of one node of a lab. */
export interface PlannedNode {
  readonly name: string
  readonly role: Role
  /** One, or two for a bridge; the first one is the service name of its spans. */
  readonly meshes: readonly string[]
  /** Milliseconds after the lab's start. */
  readonly startsAtMs: number
}

/** Delay of one seed, so that the lab shows retries. */
export const missingSeedMs = 20_000
/** Delay of one node of each mesh, so that it joins a running mesh. */
export const lateNodeMs = 10_000
export const seedsPerMesh = 2
/** Maximum nodes of one lab: the memory of a laptop. Guess. */
export const maxNodes = 64
/** Resident memory of an idle node; `npm run prove -- idle` measures it. */
const nodeMb = 95
/** Nodes of a core above which the start of a lab takes more than a minute. Guess. */
const nodesPerCore = 16

/** What a user should know before a lab of this size starts on such a machine. */
export function sizeWarnings(
  { nodes, meshes, bridges }: LabSize,
  { availableBytes, cores }: { readonly availableBytes: number; readonly cores: number },
): readonly string[] {
  const all = nodes * meshes + bridges
  const [neededMb, availableMb] = [all * nodeMb, Math.round(availableBytes / 2 ** 20)]
  return [
    ...(neededMb > availableMb
      ? [`warning: ${all} nodes need about ${neededMb} MiB of memory, and ${availableMb} are available: use --nodes`]
      : []),
    ...(all > nodesPerCore * cores
      ? [`warning: ${all} nodes on ${cores === 1 ? 'one core' : `${cores} cores`} take minutes to start: use --nodes`]
      : []),
  ]
}

/** Roles of a mesh after its seeds, in this order; all further nodes are compute. */
const others: readonly Role[] = ['gateway', 'broker', 'registry']

/** Meshes up to this size are fully linked. Nodes of larger ones have the default number of neighbours. */
const completeUpTo = 12
const neighboursOtherwise = 8

/** Plans the nodes of a lab in their start order. The seed decides the late nodes and the order. */
export function planLab(size: LabSize, seed: number): readonly PlannedNode[] {
  const meshes = Array.from({ length: size.meshes }, (_, index) => meshName(index))
  const planned = [
    ...meshes.flatMap((mesh, index) => planMesh(mesh, index, size.nodes, seed)),
    ...Array.from({ length: size.bridges }, (_, index) => planBridge(meshes, index)),
  ]
  const startOrder = ({ name, role }: PlannedNode) => (role === 'seed' ? 0 : 1) + seededRandom(seed, `turn of ${name}`)
  return planned.toSorted((a, b) => startOrder(a) - startOrder(b))
}

/**
 * Plans an additional node in a lab of `count` meshes; a bridge leads to the mesh after `mesh`. Throws MESH_LAB_REFUSED
 * when the mesh does not exist, or when there is no second mesh for a bridge.
 */
export function planOneMore(
  role: Role,
  mesh: string,
  count: number,
  usedNames: readonly string[],
  startsAtMs: number,
): PlannedNode {
  const meshes = Array.from({ length: count }, (_, index) => meshName(index))
  const index = meshes.indexOf(mesh)
  if (index < 0) throw spawnRefused(`unknown mesh ${mesh}; the lab has ${meshes.join(' ')}`)
  if (role === 'bridge' && count < 2) throw spawnRefused('a bridge needs two meshes, and the lab has one')
  const to = role === 'bridge' ? [meshes[(index + 1) % count] ?? ''] : []
  return { name: nodeName(role, mesh, usedNames), role, meshes: [mesh, ...to], startsAtMs }
}

function spawnRefused(why: string): MeshError {
  return new MeshError('MESH_LAB_REFUSED', { what: 'a node cannot be spawned', why })
}

/** Whether two nodes have a mesh in common. */
export function shareMesh(a: PlannedNode, b: PlannedNode): boolean {
  return a.meshes.some((mesh) => b.meshes.includes(mesh))
}

/** `mesh-a`, `mesh-b` … */
function meshName(index: number): string {
  return `mesh-${String.fromCharCode(97 + index)}`
}

/** The next free name: `a-compute-1` in `mesh-a`; `bridge-1` without a mesh, since it is in two. */
export function nodeName(role: Role, mesh: string, usedNames: readonly string[]): string {
  const base = role === 'bridge' ? role : `${mesh.replace('mesh-', '')}-${role}`
  for (let count = 1; ; count++) if (!usedNames.includes(`${base}-${count}`)) return `${base}-${count}`
}

/** Target number of links for a node in meshes of these sizes. */
export function neighbourTarget(members: readonly number[]): number {
  const perMesh = members.map((count) => (count <= completeUpTo ? count - 1 : neighboursOtherwise))
  return Math.max(
    1,
    perMesh.reduce((sum, count) => sum + count, 0),
  )
}

function planMesh(mesh: string, index: number, nodes: number, seed: number): PlannedNode[] {
  const planned: PlannedNode[] = []
  const lateOne = seedsPerMesh + Math.floor(seededRandom(seed, `late node of ${mesh}`) * (nodes - seedsPerMesh))
  for (let place = 0; place < nodes; place++) {
    const role = place < seedsPerMesh ? 'seed' : (others[place - seedsPerMesh] ?? 'compute')
    const missing = index === 0 && place === seedsPerMesh - 1
    const startsAtMs = missing ? missingSeedMs : place === lateOne ? lateNodeMs : 0
    const usedNames = planned.map(({ name }) => name)
    planned.push({ name: nodeName(role, mesh, usedNames), role, meshes: [mesh], startsAtMs })
  }
  return planned
}

/** Bridges alternate their first mesh. */
function planBridge(meshes: readonly string[], index: number): PlannedNode {
  const [from = '', to = ''] = [meshes[index % meshes.length], meshes[(index + 1) % meshes.length]]
  return { name: `bridge-${index + 1}`, role: 'bridge', meshes: [from, to], startsAtMs: 0 }
}

/**
 * A number in [0, 1) that depends only on the seed and on its purpose `what`, not on earlier calls.
 */
export function seededRandom(seed: number, what: string): number {
  return createHash('sha256').update(`${seed} ${what}`).digest().readUInt32BE(0) / 2 ** 32
}

/** The maximum of `--neighbours`. */
const maxNeighbours = 64

/** Topic that every node of the lab subscribes to. */
export const labTopic = 'lab'

/** Listen address of a node, the same at every start. */
export function quicAddress(port: number): string {
  return `/ip4/127.0.0.1/udp/${port}/quic-v1`
}

/** Command line of a node, without its identity. */
export function nodeArgs({ plan, port }: { plan: PlannedNode; port: number }, all: readonly LabNode[], otlp: string) {
  const [mesh = '', to] = plan.meshes
  const inMesh = (one: string) => all.filter((node) => node.plan.meshes.includes(one))
  const seeds = plan.meshes.flatMap((one) => inMesh(one).filter((node) => node.plan.role === 'seed'))
  const neighbours = neighbourTarget(plan.meshes.map((one) => inMesh(one).length))
  return [
    ...['node', '--name', plan.name, '--role', plan.role, '--mesh', mesh],
    ...(to === undefined ? [] : ['--bridge-to', to]),
    ...['--listen', quicAddress(port), '--admin', '127.0.0.1:0'],
    ...seeds.filter((seed) => seed.port !== port).flatMap((seed) => ['--seed', quicAddress(seed.port)]),
    ...['--neighbours', String(Math.min(maxNeighbours, neighbours)), '--otlp', otlp],
    ...['--topic', labTopic],
    // The lab counts all spans from the log, including sweeps and messages.
    ...['--log-level', 'trace'],
  ]
}
