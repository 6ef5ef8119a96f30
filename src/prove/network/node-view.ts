import type { Topology } from '../../kit/views.ts'
import { type NodeProcess, until } from '../../testing/cluster/cluster.ts'

/** One node's view of the others, by their names. */
export interface NodeView {
  readonly name: string
  readonly peer: string
  /** Names of the members with a link to it. */
  readonly links: readonly string[]
  /** Transports of these links. */
  readonly transports: readonly string[]
  /** Announced addresses of each member. */
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

/** Nodes that lack members, with the names of these. */
export function incompleteViews(views: readonly NodeView[]): string[] {
  const names = views.map(({ name }) => name)
  return views.flatMap(({ name, members }) => {
    const missing = names.filter((other) => other !== name && members[other] === undefined)
    return missing.length === 0 ? [] : [`${name} without ${missing.join(' ')}`]
  })
}

export function areLinkedBothWays(one: NodeView, other: NodeView): boolean {
  return one.links.includes(other.name) && other.links.includes(one.name)
}

/** Milliseconds until `holds`; NaN after the limit. */
export async function timeUntil(holds: () => Promise<boolean>, limitMs: number, signal: AbortSignal): Promise<number> {
  const poll = () => {
    signal.throwIfAborted()
    return holds()
  }
  return until(poll, limitMs, '').catch(() => {
    signal.throwIfAborted()
    return Number.NaN
  })
}
