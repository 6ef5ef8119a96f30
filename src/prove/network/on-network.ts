import type { Topology } from '../../kit/views.ts'
import { type Cluster, type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { type Network, networkImpossible, startNetwork } from '../../testing/netns/network.ts'
import type { ProofResult } from '../proof.ts'

const transports = ['udp/4001/quic-v1', 'tcp/4001']

/** Listen addresses of each node of these proofs: a fixed port at every present and later address of its host. */
export const listen = ['ip4/0.0.0.0', 'ip6/::'].flatMap((host) =>
  transports.map((transport) => `/${host}/${transport}`),
)

/** Multiaddrs of such a node at these IP addresses. */
export function addressesAt(...hosts: readonly string[]): string[] {
  return hosts.flatMap((host) =>
    transports.map((transport) => `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/${transport}`),
  )
}

/** Runs a proof on its own network; without one, the check is not shown, with the reason. */
export async function onNetwork(
  name: string,
  run: (network: Network, cluster: Cluster) => Promise<ProofResult>,
): Promise<ProofResult> {
  const reason = networkImpossible()
  if (reason !== undefined) {
    const check = {
      what: `${name}: hosts on their own network`,
      want: 'possible',
      got: reason,
      holds: 'not shown',
    } as const
    return { figures: {}, checks: [check] }
  }
  await using network = await startNetwork()
  await using cluster = await startCluster({ env: { OTEL_BSP_SCHEDULE_DELAY: '200' } })
  return await run(network, cluster)
}

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
