import { type BootStep, type MeshView, type NodeState, unknownNode, type ViewNode } from '../mesh-view.ts'

/** Names that identify exactly one node. None on an observer: members there choose their own names. */
export function uniqueNames({ from, nodes }: Pick<MeshView, 'from' | 'nodes'>): ReadonlySet<string> {
  if (from === 'observer') return new Set()
  const byName = Map.groupBy(nodes, ({ name }) => name)
  return new Set([...byName].flatMap(([name, all]) => (name !== '' && all.length === 1 ? [name] : [])))
}

/** Finds a node by id or name. The id wins: a peer may use the id of another as its name. */
export function findNode({ nodes }: Pick<MeshView, 'nodes'>, key: string): ViewNode | undefined {
  return nodes.find(({ id }) => id === key) ?? nodes.find(({ name }) => name === key)
}

/** The view, with a node for each end of a link that it does not have. */
export function withUnknownNodes(view: MeshView): MeshView {
  const known = new Set(view.nodes.map(({ id }) => id))
  const missing = new Set(view.links.flatMap(({ a, b }) => [a, b]).filter((id) => !known.has(id)))
  return missing.size === 0 ? view : { ...view, nodes: [...view.nodes, ...[...missing].map(unknownNode)] }
}

/** Matches peer ids of Ed25519, secp256k1 and RSA keys, in base58. */
export function isPeerId(text: string): boolean {
  return /^(?:12D3KooW|16Uiu2HA|Qm)[1-9A-HJ-NP-Za-km-z]{40,48}$/.test(text)
}

/** Boot steps of one node. */
export interface BootLane {
  readonly node: string
  /** In order of time. */
  readonly steps: readonly BootStep[]
  /** Start of the lane, milliseconds since the lab's start: the first start of all nodes, or its own if it is late. */
  readonly baseMs: number
  /** Whether it started after the first node knew all members, so not with the others. */
  readonly isLate: boolean
}

interface BootChart {
  readonly lanes: readonly BootLane[]
  /** Length of the longest lane in milliseconds, the scale of all lanes; at least 1. */
  readonly scaleMs: number
}

/**
 * Lanes, sorted by start. A late node is measured from its own start: on the scale of an hour the boot of the others
 * would not be visible.
 */
export function bootChart(boot: readonly BootStep[]): BootChart {
  const firstCompleteMs = Math.min(...boot.flatMap(({ what, atMs }) => (what === 'all members' ? [atMs] : [])))
  const firstMs = Math.min(...boot.map(({ atMs }) => atMs))
  const lanes = [...Map.groupBy(boot, ({ node }) => node)].map(([node, own]): BootLane => {
    const steps = own.toSorted((a, b) => a.atMs - b.atMs)
    const startMs = steps[0]?.atMs ?? firstMs
    const isLate = startMs > firstCompleteMs
    return { node, steps, baseMs: isLate ? startMs : firstMs, isLate }
  })
  const lengths = lanes.map(({ steps, baseMs }) => (steps.at(-1)?.atMs ?? baseMs) - baseMs)
  const byStart = lanes.toSorted((a, b) => (a.steps[0]?.atMs ?? 0) - (b.steps[0]?.atMs ?? 0))
  return { lanes: byStart, scaleMs: Math.max(1, ...lengths) }
}

/** State of a node whose expiry the page searches for. `removed`: the view has no such node. */
export type Fate = NodeState | 'removed'

export interface ExpirySearch {
  readonly fate: Fate
  /** Whether a node still counts it as a member. */
  readonly isMember: boolean
  /** Milliseconds since the search began. */
  readonly searchAgeMs: number
  /** Milliseconds since the newest expiry; undefined before the first expiry. */
  readonly expiryAgeMs: number | undefined
}

/** Poll intervals: fast while an expiry is due, slow for a running node. */
const fastPollMs = 2_000
const slowPollMs = 15_000
/** All survivors expire a node within one sweep, and their spans take some seconds to reach the store. */
const collectMs = 15_000
/** Three times the staleness window, a sweep and the export: no expiry comes later. Guess. */
const maxSearchMs = 120_000

/** Milliseconds until the next search for expiries of a node; undefined when no more can come. */
export function nextPollMs({ fate, isMember, searchAgeMs, expiryAgeMs }: ExpirySearch): number | undefined {
  if (fate === 'running' || fate === 'starting') return slowPollMs
  if (fate === 'stopped' || fate === 'waiting') return undefined
  if (isMember) return fastPollMs
  const isComplete = expiryAgeMs !== undefined && expiryAgeMs > collectMs
  return isComplete || searchAgeMs > maxSearchMs ? undefined : fastPollMs
}

/** Text to show while no expiry of the node is known. */
export function noExpiryText(fate: Fate, isPolling: boolean): string {
  if (fate === 'waiting') return 'The node has not started yet.'
  if (fate === 'stopped') return 'No node: it said goodbye before it stopped.'
  if (fate === 'running' || fate === 'starting') return 'No node in the last hour.'
  if (fate === 'removed') return 'No expiry in the last hour: it said goodbye, left earlier, or was never a member.'
  if (isPolling) return 'No node yet: its silence is still within the staleness window.'
  return 'No expiry in the last hour: it said goodbye, or it left earlier.'
}
