import type { NodeState } from '../page/mesh-view.ts'
import type { LabNode } from './lab-node.ts'
import { shareMesh } from './plan.ts'
import type { SinkStats } from './trace-sink.ts'

/** The closing record of a lab; with `--json` one line of JSON. */
export interface LabRecord {
  readonly seed: number
  /** Since the lab's start. */
  readonly seconds: number
  /** From the lab's start until all nodes without a late start knew each other; null if they never did. */
  readonly bootSeconds: number | null
  readonly nodes: number
  readonly meshes: number
  /** Number of linked pairs of nodes, and the pairs with more than one link. */
  readonly links: { readonly pairs: number; readonly doubled: readonly string[] }
  /** Spans that the store received, by name; empty for an external receiver. */
  readonly spans: Readonly<Record<string, number>>
  /** Spans that the store has evicted for newer ones; null when unknown. */
  readonly evicted: number | null
  /** Spans that were emitted and did not arrive; null when unknown. */
  readonly lost: number | null
  readonly retries: number
  readonly expired: number
  readonly perNode: readonly NodeRecord[]
  /** Whether all nodes knew each other, and there are no problems. */
  readonly ok: boolean
  readonly problems: readonly string[]
}

export interface NodeRecord {
  readonly name: string
  readonly role: string
  readonly mesh: string
  readonly state: NodeState
  /** Seconds since its last process began to listen. */
  readonly upSeconds: number
  /** Members that it knew. */
  readonly members: number
  readonly links: number
  readonly retries: number
  readonly prunes: number
  readonly expired: number
  readonly sweeps: number
  /** Resident memory in MiB; null when unknown. */
  readonly rssMb: number | null
  /** Mean since 5 s after it began to listen. */
  readonly cpuMsPerS: number | null
}

/** The part of the record that needs running nodes. */
export interface Snapshot {
  readonly perNode: readonly NodeRecord[]
  readonly links: LabRecord['links']
  /** Problems of nodes, in words. */
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
  /** Undefined for an external receiver. */
  readonly stats: SinkStats | undefined
  /** Spans that the nodes logged as lost at exit. */
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
    ok: problems.length === 0 && bootMs !== undefined,
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

/** A link may settle or close within this time, in milliseconds. Guess: a dial may take 10 s. */
const unsettledMs = 15_000

/**
 * Linked pairs, by their two names. A link that one end drains does not count; a link that does not settle in time
 * does.
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

/** Problems for lost and refused spans. Losses at exit count with an external receiver, too. */
function lossProblems(stats: SinkStats | undefined, lostAtExit: number): string[] {
  const lost = (stats === undefined ? 0 : missingSpans(stats)) + lostAtExit
  const refused = stats?.refused ?? 0
  return [
    ...(lost === 0 ? [] : [`${lost} spans were lost`]),
    ...(refused === 0 ? [] : [`the trace store refused ${refused} spans`]),
  ]
}

/** Gaps in the sequences of all processes. A loss at exit leaves no gap: the process logs it. */
export function missingSpans({ senders }: SinkStats): number {
  return senders.reduce((sum, { missing }) => sum + missing, 0)
}

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
function findingsIn(nodes: readonly LabNode[], elapsedMs: number): string[] {
  const steady = nodes.filter(isSteady)
  return [
    ...nodes.flatMap((node) => findStuck(node, elapsedMs) ?? []),
    ...steady.flatMap((node) => [...findUnknownPeers(node, steady), ...findDeadMembers(node, nodes)]),
  ]
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
    .filter((other) => other !== node && shareMesh(node.plan, other.plan) && !knows(node, other))
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
