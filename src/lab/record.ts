import type { NodeState } from '../page/mesh-view.ts'
import type { LabNode } from './lab-node.ts'
import type { SinkStats } from './trace-sink.ts'

/** What a lab says in the end, in one line of JSON. */
export interface LabRecord {
  readonly seed: number
  /** Since the lab's start. */
  readonly seconds: number
  /** From the lab's start until all who start at once knew each other; null when that never was. */
  readonly bootSeconds: number | null
  readonly nodes: number
  readonly meshes: number
  /** Pairs of nodes that are linked, and those of them that have more than one link. */
  readonly links: { readonly pairs: number; readonly doubled: readonly string[] }
  /** Spans that the store received, by name; empty when the lab cannot ask it. */
  readonly spans: Readonly<Record<string, number>>
  /** Spans that were told and did not arrive; null when the lab cannot say. */
  readonly lost: number | null
  readonly retries: number
  readonly expired: number
  readonly perNode: readonly NodeRecord[]
  /** Whether there are no problems. */
  readonly ok: boolean
  readonly problems: readonly string[]
}

export interface NodeRecord {
  readonly name: string
  readonly role: string
  readonly mesh: string
  readonly state: NodeState
  /** Seconds that its last process listened. */
  readonly upSeconds: number
  /** Others of its meshes that it knew. */
  readonly members: number
  readonly links: number
  readonly retries: number
  readonly prunes: number
  readonly expired: number
  readonly sweeps: number
  /** MiB, resident; null where it cannot be read. */
  readonly rssMb: number | null
  /** Mean since 5 s after it listened. */
  readonly cpuMsPerS: number | null
}

/** Those who came less than this ago, in milliseconds, need not be known to all yet. Guess. */
const newcomerMs = 10_000

/** What is gone once everybody has stopped. */
export interface Snapshot {
  readonly perNode: readonly NodeRecord[]
  readonly links: LabRecord['links']
  /** Who does not know whom, in words. */
  readonly strangers: readonly string[]
}

export function snapshotOf(nodes: readonly LabNode[]): Snapshot {
  return { perNode: nodes.map(nodeRecord), links: pairsOf(nodes), strangers: strangers(nodes) }
}

export interface RecordInput {
  readonly seed: number
  readonly meshes: number
  readonly elapsedMs: number
  readonly bootMs: number | undefined
  readonly snapshot: Snapshot
  /** Undefined when the store keeps no account. */
  readonly stats: SinkStats | undefined
  /** Spans that the nodes said they lost at their ends. */
  readonly lostAtExit: number
  readonly problems: readonly string[]
}

export function recordOf({
  seed,
  meshes,
  elapsedMs,
  bootMs,
  snapshot,
  stats,
  lostAtExit,
  ...found
}: RecordInput): LabRecord {
  const { perNode, links } = snapshot
  const lost = stats === undefined ? null : lostOnTheWay(stats) + lostAtExit
  const sum = (of: 'retries' | 'expired') => perNode.reduce((total, node) => total + node[of], 0)
  const problems = [
    ...found.problems,
    ...snapshot.strangers,
    ...links.doubled.map((pair) => `${pair} have more than one link`),
    ...(lost === null || lost === 0 ? [] : [`${lost} spans were lost`]),
  ]
  return {
    seed,
    seconds: Math.round(elapsedMs / 100) / 10,
    bootSeconds: bootMs === undefined ? null : bootMs / 1_000,
    nodes: perNode.length,
    meshes,
    links,
    spans: stats?.names ?? {},
    lost,
    retries: sum('retries'),
    expired: sum('expired'),
    perNode,
    ok: problems.length === 0,
    problems,
  }
}

function nodeRecord(node: LabNode): NodeRecord {
  const { name, plan, state, tally, listeningAt } = node
  return {
    name,
    role: plan.role,
    mesh: plan.meshes.join(' '),
    state,
    upSeconds: listeningAt === undefined ? 0 : Math.round((performance.now() - listeningAt) / 100) / 10,
    members: node.topology?.members.length ?? tally.members,
    links: node.topology?.peers.filter(({ kind }) => kind === 'member').length ?? tally.links,
    retries: tally.retries,
    prunes: tally.prunes,
    expired: tally.expired,
    sweeps: tally.sweeps,
    rssMb: node.rssMb ?? null,
    cpuMsPerS: node.cpuMsPerSOverall ?? null,
  }
}

/** Pairs that are linked, by the names of the two. A link that one end is giving up is none any more. */
function pairsOf(nodes: readonly LabNode[]): LabRecord['links'] {
  const pairs = new Map<string, Map<string, boolean>>()
  const nameOf = (id: string) => nodes.find(({ peer }) => peer === id)?.name ?? id
  for (const { name, topology } of nodes) {
    for (const { peer, kind, links } of topology?.peers ?? []) {
      if (kind !== 'member') continue
      const pair = [name, nameOf(peer)].sort().join(' ')
      const held = pairs.get(pair) ?? new Map<string, boolean>()
      pairs.set(pair, held)
      for (const { id, state } of links) held.set(id, state === 'settled' && held.get(id) !== false)
    }
  }
  const counts = [...pairs].map(([pair, held]) => [pair, [...held.values()].filter(Boolean).length] as const)
  return {
    pairs: counts.filter(([, count]) => count > 0).length,
    doubled: counts.filter(([, count]) => count > 1).map(([pair]) => pair),
  }
}

/** Nodes that do not know exactly those who run beside them, in words. */
function strangers(nodes: readonly LabNode[]): string[] {
  const settled = nodes.filter(({ state, listeningAt }) => state === 'running' && isSettled(listeningAt))
  return settled.flatMap((node) => {
    const missing = settled.filter((other) => other !== node && shareMesh(node, other) && !knows(node, other))
    return missing.length === 0 ? [] : [`${node.name} does not know ${missing.map(({ name }) => name).join(' ')}`]
  })
}

export function shareMesh(a: LabNode, b: LabNode): boolean {
  return a.plan.meshes.some((mesh) => b.plan.meshes.includes(mesh))
}

function isSettled(listeningAt: number | undefined): boolean {
  return listeningAt !== undefined && performance.now() - listeningAt > newcomerMs
}

function knows({ topology }: LabNode, other: LabNode): boolean {
  return topology?.members.some(({ peer }) => peer === other.peer) === true
}

/** Gaps in what came of each process. A loss at its end leaves no gap: the process says that itself. */
export function lostOnTheWay({ senders }: SinkStats): number {
  return senders.reduce((sum, { spans, lastSeq }) => sum + Math.max(0, lastSeq - spans), 0)
}
