import { type Cluster, type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import type { Host } from '../../testing/netns/host.ts'
import { type Lan, type Network, networkImpossible, startNetwork } from '../../testing/netns/network.ts'
import { promptSpans, topologyOf } from '../mesh/mesh.ts'
import { notShown, type ProofResult } from '../proof.ts'

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
  if (reason !== undefined)
    return { figures: {}, checks: [notShown(`${name}: hosts on their own network`, 'possible', reason)] }
  await using network = await startNetwork()
  await using cluster = await startCluster(promptSpans)
  return await run(network, cluster)
}

/** A new host with these addresses on its one interface. */
export async function hostAt(network: Network, lan: Lan, name: string, ...addresses: readonly string[]): Promise<Host> {
  const host = await network.host(name)
  await host.attach({ interface: 'eth0', lan, addresses })
  return host
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
  const { peers, members } = await topologyOf(node)
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
