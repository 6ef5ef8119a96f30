import type { NodeState } from '../page/mesh-view.ts'
import { findingsIn } from './findings.ts'
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
  /** Spans that the store has dropped for newer ones; null when the lab cannot say. */
  readonly evicted: number | null
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

/** What is gone once everybody has stopped. */
export interface Snapshot {
  readonly perNode: readonly NodeRecord[]
  readonly links: LabRecord['links']
  /** What is wrong with nodes, in words. */
  readonly findings: readonly string[]
}

/** @param elapsedMs Since the lab's start. */
export function snapshotOf(nodes: readonly LabNode[], elapsedMs: number): Snapshot {
  return { perNode: nodes.map(nodeRecord), links: pairsOf(nodes), findings: findingsIn(nodes, elapsedMs) }
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
  ...rest
}: RecordInput): LabRecord {
  const { perNode, links } = snapshot
  const lost = stats === undefined ? null : missingSpans(stats) + lostAtExit
  const sum = (of: 'retries' | 'expired') => perNode.reduce((total, node) => total + node[of], 0)
  const problems = [
    ...rest.problems,
    ...snapshot.findings,
    ...links.doubled.map((pair) => `${pair} have more than one link`),
    ...lossProblems(stats, lostAtExit),
  ]
  return {
    seed,
    seconds: Math.round(elapsedMs / 100) / 10,
    bootSeconds: bootMs === undefined ? null : bootMs / 1_000,
    nodes: perNode.length,
    meshes,
    links,
    spans: stats?.names ?? {},
    evicted: stats?.evicted ?? null,
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

/** What is settled or given up within so long is in order, in milliseconds. Guess: a dial may take 10 s. */
const unsettledMs = 15_000

/**
 * Pairs that are linked, by the names of the two. A link that one end is giving up is none any more; one that does not
 * come to rest is one.
 */
function pairsOf(nodes: readonly LabNode[]): LabRecord['links'] {
  const pairs = new Map<string, Map<string, boolean>>()
  const nameOf = (id: string) => nodes.find(({ peer }) => peer === id)?.name ?? id
  for (const { name, topology } of nodes) {
    for (const { peer, kind, links } of topology?.peers ?? []) {
      if (kind !== 'member') continue
      const pair = [name, nameOf(peer)].sort().join(' ')
      const linkStates = pairs.get(pair) ?? new Map<string, boolean>()
      pairs.set(pair, linkStates)
      for (const { id, state, ageMs } of links)
        linkStates.set(id, (state === 'settled' || ageMs > unsettledMs) && linkStates.get(id) !== false)
    }
  }
  const counts = [...pairs].map(
    ([pair, linkStates]) => [pair, [...linkStates.values()].filter(Boolean).length] as const,
  )
  return {
    pairs: counts.filter(([, count]) => count > 0).length,
    doubled: counts.filter(([, count]) => count > 1).map(([pair]) => pair),
  }
}

/** What nodes say they lost is lost, whoever receives the rest. */
function lossProblems(stats: SinkStats | undefined, lostAtExit: number): string[] {
  const lost = (stats === undefined ? 0 : missingSpans(stats)) + lostAtExit
  const refused = stats?.refused ?? 0
  return [
    ...(lost === 0 ? [] : [`${lost} spans were lost`]),
    ...(refused === 0 ? [] : [`the trace store refused ${refused} spans`]),
  ]
}

/** Gaps in what came of each process. A loss at its end leaves no gap: the process says that itself. */
export function missingSpans({ senders }: SinkStats): number {
  return senders.reduce((sum, { missing }) => sum + missing, 0)
}
