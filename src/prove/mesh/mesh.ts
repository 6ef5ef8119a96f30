import type { PeerInfo, Topology } from '../../kit/views.ts'
import { type NodeProcess, until } from '../../testing/cluster.ts'

export interface PairLink {
  readonly id: string
  /** Trace of its birth, as the dialler names it. */
  readonly trace: string
  readonly transport: string
  /** Peer ids of both ends, the lower one first. */
  readonly ends: readonly [string, string]
}

export function topologiesOf(nodes: readonly NodeProcess[]): Promise<Topology[]> {
  return Promise.all(nodes.map((node) => node.api<Topology>('/api/topology')))
}

/** Whether each of these nodes knows all the others as members, and nobody else. */
export function haveFullMembership(topologies: readonly Topology[]): boolean {
  const everybody = topologies.map(({ self }) => self)
  return topologies.every(({ self, members }) => {
    const known = members.map(({ peer }) => peer)
    return sameSet([...known, self], everybody)
  })
}

/**
 * The links of a full mesh by the word of both ends, or why it is none: every pair has exactly one link, settled, which
 * both ends give the same id.
 */
export function pairLinks(topologies: readonly Topology[]): readonly PairLink[] | string {
  const links: PairLink[] = []
  for (const [index, one] of topologies.entries()) {
    if (one.peers.length !== topologies.length - 1) return `${one.self} has ${one.peers.length} peers`
    for (const other of topologies.slice(index + 1)) {
      const here = singleSettledLink(one.peers, other.self)
      const there = singleSettledLink(other.peers, one.self)
      if (here === undefined || there === undefined)
        return `${one.self} and ${other.self} have not one settled link each`
      if (here.id !== there.id) return `${here.id} is ${there.id} at the other end`
      const dialler = here.direction === 'outbound' ? here : there
      const ends = [one.self, other.self].sort() as [string, string]
      links.push({ id: here.id, trace: dialler.trace ?? '', transport: here.transport, ends })
    }
  }
  return links
}

/** Resolves with the links once everybody knows everybody and the two ends of every pair agree on one link. */
export async function waitForFullMesh(nodes: readonly NodeProcess[], limitMs: number): Promise<readonly PairLink[]> {
  let links: readonly PairLink[] | string = 'not asked yet'
  const agreed = async () => {
    const topologies = await topologiesOf(nodes)
    links = haveFullMembership(topologies) ? pairLinks(topologies) : 'not all are known'
    return typeof links !== 'string'
  }
  await until(agreed, limitMs, `${nodes.length} nodes with one link per pair`).catch((error: Error) => {
    throw new Error(typeof links === 'string' ? `${error.message}: ${links}` : error.message, { cause: error })
  })
  return typeof links === 'string' ? [] : links
}

function singleSettledLink(peers: readonly PeerInfo[], peer: string): PeerInfo['links'][number] | undefined {
  const links = peers.find((one) => one.peer === peer)?.links ?? []
  return links.length === 1 && links[0]?.state === 'settled' ? links[0] : undefined
}

function sameSet(some: readonly string[], others: readonly string[]): boolean {
  return new Set(some).size === others.length && others.every((one) => some.includes(one))
}
