import type { Topology } from '../../kit/views.ts'
import { type NodeProcess, until } from '../../testing/cluster.ts'

/** What one node knows of the others, by their names where it knows them. */
export interface NodeView {
  readonly name: string
  readonly peer: string
  /** Names of the members it has a link with. */
  readonly links: readonly string[]
  /** Transports of these links. */
  readonly transports: readonly string[]
  /** Members it knows, and the addresses that each announces. */
  readonly members: Readonly<Record<string, readonly string[]>>
}

export async function viewOf(node: NodeProcess): Promise<NodeView> {
  const { peers, members } = await node.api<Topology>('/api/topology')
  const linked = peers.filter(({ links }) => links.some(({ state }) => state === 'settled'))
  return {
    name: node.name,
    peer: node.peer,
    links: linked.map(({ name }) => name).sort(),
    transports: linked.flatMap(({ links }) => links.map(({ transport }) => transport)).sort(),
    members: Object.fromEntries(members.map(({ name, addresses }) => [name, addresses])),
  }
}

export function viewsOf(nodes: readonly NodeProcess[]): Promise<NodeView[]> {
  return Promise.all(nodes.map(viewOf))
}

/** Of these nodes, those that do not know all others of them. */
export function incompleteViews(sights: readonly NodeView[]): string[] {
  const names = sights.map(({ name }) => name)
  return sights.flatMap(({ name, members }) => {
    const missing = names.filter((other) => other !== name && members[other] === undefined)
    return missing.length === 0 ? [] : [`${name} without ${missing.join(' ')}`]
  })
}

export function areLinkedBothWays(one: NodeView, other: NodeView): boolean {
  return one.links.includes(other.name) && other.links.includes(one.name)
}

/** Milliseconds until `holds`; NaN, with what was seen last, when it does not within the limit. */
export async function timeUntil(holds: () => Promise<boolean>, limitMs: number, signal: AbortSignal): Promise<number> {
  const look = () => {
    signal.throwIfAborted()
    return holds()
  }
  return until(look, limitMs, '').catch(() => {
    signal.throwIfAborted()
    return Number.NaN
  })
}
