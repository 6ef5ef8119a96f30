import type { LabNode } from './lab-node.ts'

/** Nodes younger than this, in milliseconds, need not be known to all others yet. Guess. */
const newcomerMs = 10_000
/** Maximum time of a start on a busy machine, in milliseconds. Guess. */
const overdueMs = 20_000
/** A member silent for this long has expired: a staleness of 30 s, a sweep every 5 s, and a margin. */
const deadMs = 40_000

/**
 * Describes the current problems of these nodes.
 *
 * @param elapsedMs Since the lab's start.
 */
export function findingsIn(nodes: readonly LabNode[], elapsedMs: number): string[] {
  const steady = nodes.filter(isSteady)
  return [
    ...nodes.flatMap((node) => findStuck(node, elapsedMs) ?? []),
    ...steady.flatMap((node) => [...findUnknownPeers(node, steady), ...findDeadMembers(node, nodes)]),
  ]
}

/** Whether two nodes have a mesh in common. */
export function shareMesh(a: LabNode, b: LabNode): boolean {
  return a.plan.meshes.some((mesh) => b.plan.meshes.includes(mesh))
}

function findStuck({ name, state, plan, steadySince, startedAt, topology }: LabNode, elapsedMs: number) {
  const elapsed = (at: number) => `${Math.round((performance.now() - at) / 1_000)} s`
  if (state === 'unreachable') return `${name} is running and does not answer`
  if (state === 'running' && topology === undefined && isOld(steadySince)) return `${name} did not answer the last poll`
  if (state === 'starting' && startedAt !== undefined && performance.now() - startedAt > overdueMs)
    return `${name} has been starting for ${elapsed(startedAt)}`
  const lateMs = elapsedMs - plan.startsAtMs
  if (state === 'waiting' && lateMs > overdueMs)
    return `${name} should have started ${Math.round(lateMs / 1_000)} s ago`
  return undefined
}

/** Running nodes of its mesh that a node does not know. */
function findUnknownPeers(node: LabNode, steady: readonly LabNode[]): string[] {
  const names = steady
    .filter((other) => other !== node && shareMesh(node, other) && !knows(node, other))
    .map(({ name }) => name)
  return names.length === 0 ? [] : [`${node.name} does not know ${names.join(' ')}`]
}

/** Members that a node should have expired. */
function findDeadMembers({ name, topology, steadySince = 0 }: LabNode, nodes: readonly LabNode[]): string[] {
  // After a pause a node waits for a staleness time before it expires members.
  if (performance.now() - steadySince < deadMs) return []
  const silent = topology?.members.filter(({ silentMs }) => silentMs > deadMs) ?? []
  return silent.map(({ peer, silentMs }) => {
    const memberName = nodes.find((node) => node.peer === peer)?.name ?? peer
    return `${name} still has member ${memberName}, silent for ${Math.round(silentMs / 1_000)} s`
  })
}

/** Runs and answers, for long enough to know the others. */
function isSteady({ state, steadySince, topology }: LabNode): boolean {
  return state === 'running' && topology !== undefined && isOld(steadySince)
}

function isOld(elapsed: number | undefined): boolean {
  return elapsed !== undefined && performance.now() - elapsed > newcomerMs
}

function knows({ topology }: LabNode, other: LabNode): boolean {
  return topology?.members.some(({ peer }) => peer === other.peer) === true
}
