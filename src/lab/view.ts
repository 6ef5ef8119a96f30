import type { Topology } from '../kit/views.ts'
import { guestNode, type MeshView, type ViewLink, type ViewNode } from '../page/mesh-view.ts'
import type { LabOptions } from './lab.ts'
import type { LabNode } from './lab-node.ts'

/** The view of a lab for the page. */
export function labView(
  nodes: readonly LabNode[],
  { meshes, seed, jaegerUi }: LabOptions,
  history: Pick<MeshView, 'boot' | 'spans' | 'messages' | 'traces' | 'ending'>,
): MeshView {
  return {
    atMs: Date.now(),
    from: 'lab',
    title: `lab of ${nodes.length} nodes in ${meshes} ${meshes === 1 ? 'mesh' : 'meshes'}, seed ${seed}`,
    nodes: viewNodes(nodes),
    links: viewLinks(nodes.flatMap(({ topology }) => topology ?? [])),
    ...history,
    ...(jaegerUi !== undefined && { jaegerUrl: jaegerUi }),
  }
}

/** Every node of the lab, and every guest with a connection to one of them. */
export function viewNodes(nodes: readonly LabNode[]): ViewNode[] {
  const topologies = nodes.flatMap(({ topology }) => topology ?? [])
  const own = nodes.map((node) => viewNode(node, topologies))
  const ownPeers = new Set(nodes.map(({ peer }) => peer))
  const guests = new Map<string, ViewNode>()
  for (const { peers } of topologies) {
    for (const { peer, kind, links } of peers) {
      if (kind !== 'guest' || ownPeers.has(peer) || guests.has(peer)) continue
      guests.set(
        peer,
        guestNode(
          peer,
          `guest ${peer.slice(-6)}`,
          links.slice(0, 1).map(({ address }) => address),
        ),
      )
    }
  }
  return [...own, ...guests.values()]
}

/** Only a node with a process has members, links and figures; what it did before stays counted. */
function viewNode(node: LabNode, topologies: readonly Topology[]): ViewNode {
  const { name, plan, state, peer, incarnation, addresses, tally, topology, pid, adminUrl } = node
  const { rssMb, cpuMsPerS } = pid === undefined ? {} : node
  const entries = topologies.flatMap(({ members }) => members.find((member) => member.peer === peer) ?? [])
  const { members, links, retries, prunes, expired } = tally
  return {
    id: peer === '' ? name : peer,
    name,
    role: plan.role,
    meshes: plan.meshes,
    state,
    addresses,
    topics: entries[0]?.topics ?? [],
    links: pid === undefined ? [] : (topology?.peers.filter(isMember).map((one) => one.peer) ?? []),
    counts: { retries, prunes, expired, ...(pid !== undefined && { members, links }) },
    controllable: true,
    ...(incarnation !== undefined && { incarnation }),
    ...(entries.length > 0 && { silentMs: Math.min(...entries.map(({ silentMs }) => silentMs)) }),
    ...(rssMb !== undefined && { rssMb }),
    ...(cpuMsPerS !== undefined && { cpuMsPerS }),
    ...(pid !== undefined && { pid }),
    ...(adminUrl !== '' && state === 'running' && { inventory: `/api/lab/nodes/${name}/inventory` }),
  }
}

function isMember({ kind }: { readonly kind: string }): boolean {
  return kind === 'member'
}

/** Every link in these topologies. Both ends use the same link id once the link is settled. */
export function viewLinks(topologies: readonly Topology[]): ViewLink[] {
  const linksByKey = new Map<string, ViewLink>()
  for (const { self, peers } of topologies) {
    for (const { peer, kind, links } of peers) {
      for (const { id, transport, trace } of links) {
        const [a, b] = self < peer ? [self, peer] : [peer, self]
        const key = `${a} ${b} ${id}`
        const other = linksByKey.get(key)
        const openedTrace = trace ?? other?.trace
        const ends = other === undefined ? 1 : 2
        linksByKey.set(key, {
          a,
          b,
          id,
          transport,
          kind,
          ends,
          ...(openedTrace !== undefined && { trace: openedTrace }),
        })
      }
    }
  }
  return [...linksByKey.values()]
}
