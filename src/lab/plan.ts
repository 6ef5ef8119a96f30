import type { Role } from '../catalogue/roles.ts'
import { MeshError } from '../core/errors.ts'
import { seededRandom } from './seeded-random.ts'

/** How large a lab is. */
export interface LabSize {
  /** Nodes of each mesh, bridges not counted. */
  readonly nodes: number
  readonly meshes: number
  readonly bridges: number
}

/** One node of a lab, before there is a process. */
export interface PlannedNode {
  readonly name: string
  readonly role: Role
  /** One, or two for a bridge; the first is the one that its spans are found under. */
  readonly meshes: readonly string[]
  /** Milliseconds after the lab's start. */
  readonly startsAtMs: number
}

/** One seed is missing for so long, so that there are retries to be seen. */
export const missingSeedMs = 20_000
/** One node of each mesh comes so late, so that somebody joins a mesh that lives. */
export const lateNodeMs = 10_000
export const seedsPerMesh = 2
/** Most processes of one lab: at 90 MB each what a laptop bears. Guess. */
export const maxNodes = 64

/** What a mesh has beside its seeds, in this order; then it is all compute. */
const others: readonly Role[] = ['gateway', 'broker', 'registry']

/** Every mesh up to this size is complete: each of its nodes has a link to each other. Above, as many links as a node wants anyway. */
const completeUpTo = 12
const neighboursOtherwise = 8

/** Who is in the lab and when: in the order in which they start. The seed draws who is late, and the order. */
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
 * One node more in a lab of so many meshes; a bridge leads to the mesh after `mesh`. `taken`: names there are.
 * Throws MESH_LAB_REFUSED when there is no such mesh, or none to bridge to.
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
  if (index < 0) throw spawnRefused(`there is no ${mesh}, only ${meshes.join(' ')}`)
  if (role === 'bridge' && count < 2) throw spawnRefused('a bridge needs two meshes, and there is one mesh only')
  const to = role === 'bridge' ? [meshes[(index + 1) % count] ?? ''] : []
  return { name: nodeName(role, mesh, usedNames), role, meshes: [mesh, ...to], startsAtMs }
}

function spawnRefused(why: string): MeshError {
  return new MeshError('MESH_LAB_REFUSED', { what: 'a node cannot be spawned', why })
}

/** `mesh-a`, `mesh-b` … */
function meshName(index: number): string {
  return `mesh-${String.fromCharCode(97 + index)}`
}

/** `taken`: names there are. `a-compute-1` in `mesh-a`; `bridge-1`, which is in two, names neither. */
export function nodeName(role: Role, mesh: string, usedNames: readonly string[]): string {
  const base = role === 'bridge' ? role : `${mesh.replace('mesh-', '')}-${role}`
  for (let count = 1; ; count++) if (!usedNames.includes(`${base}-${count}`)) return `${base}-${count}`
}

/** Links that a node of these meshes wants, each of so many members. */
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

/** Bridges take turns in which mesh they are at home, so that each has some. */
function planBridge(meshes: readonly string[], index: number): PlannedNode {
  const [from = '', to = ''] = [meshes[index % meshes.length], meshes[(index + 1) % meshes.length]]
  return { name: `bridge-${index + 1}`, role: 'bridge', meshes: [from, to], startsAtMs: 0 }
}
