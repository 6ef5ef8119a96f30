import { round } from '../prove/proof.ts'
import { type Cluster, type NodeProcess, startCluster, until } from '../testing/cluster.ts'

export interface IdleMesh extends AsyncDisposable {
  readonly nodes: readonly NodeProcess[]
  /** Joined links of every node. */
  links(): Promise<readonly number[]>
  /** What reached the receiver since the last call, and whether it is all of what was told. */
  spans(): SpansSeen
}

export interface SpansSeen {
  /** Spans of each node. */
  readonly byNode: readonly number[]
  /** Numbers missing between the first and the last `mesh.seq` of any node, since the start. */
  readonly missing: number
  /** `mesh.telemetry.lost` spans since the start. */
  readonly lost: number
}

interface Topology {
  readonly peers: readonly { readonly links: readonly { readonly state: string }[] }[]
}

const linkedMs = 60_000

/** `count` mesh nodes, all of which know the first as their seed. Resolves once each has `links` links. */
export async function startIdleMesh(
  name: string,
  { count, links, entry }: { readonly count: number; readonly links: number; readonly entry?: string },
): Promise<IdleMesh> {
  const cluster = await startCluster()
  try {
    const nodes = await startNodes(cluster, name, count, entry)
    const held = () => Promise.all(nodes.map(linksOf))
    await until(async () => (await held()).every((n) => n >= links), linkedMs, `${name}: each has ${links} links`)
    const close = () => cluster.close()
    return { nodes, links: held, spans: spanReader(cluster, nodes), [Symbol.asyncDispose]: close }
  } catch (error) {
    await cluster.close()
    throw error
  }
}

async function startNodes(cluster: Cluster, name: string, count: number, entry?: string): Promise<NodeProcess[]> {
  const nodes: NodeProcess[] = []
  for (let i = 0; i < count; i++) {
    const seeds = i === 0 ? [] : [cluster.address(`${name}-0`)]
    const program = entry === undefined ? {} : { entry, args: ['node'] }
    nodes.push(await cluster.node(`${name}-${i}`, { role: i === 0 ? 'seed' : 'compute', seeds, ...program }))
  }
  return nodes
}

async function linksOf(node: NodeProcess): Promise<number> {
  const { peers } = await node.api<Topology>('/api/topology')
  return peers.filter(({ links }) => links.some(({ state }) => state === 'settled')).length
}

function spanReader({ receiver }: Cluster, nodes: readonly NodeProcess[]): () => SpansSeen {
  let read = 0
  return () => {
    const fresh = receiver.spans.slice(read)
    read = receiver.spans.length
    const of = (spans: typeof receiver.spans, { name }: NodeProcess) =>
      spans.filter(({ resource }) => resource['mesh.node.name'] === name)
    const gaps = nodes.map((node) => {
      const numbers = new Set(of(receiver.spans, node).map(({ attributes }) => Number(attributes['mesh.seq'])))
      return Math.max(0, ...numbers) - numbers.size
    })
    return {
      byNode: nodes.map((node) => of(fresh, node).length),
      missing: round(gaps.reduce((sum, gap) => sum + gap, 0)),
      lost: receiver.spans.filter(({ name }) => name === 'mesh.telemetry.lost').length,
    }
  }
}
