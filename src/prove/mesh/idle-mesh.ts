import { type Cluster, type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { emitterOf, missingSpans, numberOf, spansNamed } from '../evidence.ts'

export interface IdleMesh extends AsyncDisposable {
  readonly nodes: readonly NodeProcess[]
  /** Joined links of each node by its last census, since a request would wake it. NaN before the first census. */
  links(): readonly number[]
  /** Spans that have reached the receiver since the last call. */
  spans(): SpanCounts
}

export interface SpanCounts {
  /** Spans of each node, in their order. */
  readonly byNode: readonly number[]
  /** Since the start: gaps in the numbers of arrived spans, and `mesh.telemetry.lost` spans. */
  readonly missing: number
  readonly lost: number
}

export interface IdleMeshOptions {
  readonly count: number
  /** Links that each node must have before the measurement. */
  readonly links: number
  /** Program to run in place of the clone's `tracemesh`. */
  readonly bin?: string
}

const linkedMs = 90_000

/** Starts `count` mesh nodes as a user does, with the first as the seed of the others. Resolves once all are linked. */
export async function startIdleMesh(name: string, { count, links, bin }: IdleMeshOptions): Promise<IdleMesh> {
  const cluster = await startCluster()
  try {
    const nodes: NodeProcess[] = []
    for (let i = 0; i < count; i++) {
      const role = i === 0 ? ({ role: 'seed' } as const) : { seeds: [cluster.address(`${name}-0`)] }
      const program = bin === undefined ? {} : { entry: bin, args: ['node'] }
      nodes.push(await cluster.node(`${name}-${i}`, { ...role, ...program }))
    }
    const readLinks = () => linksOf(cluster, nodes)
    await until(() => readLinks().every((n) => n >= links), linkedMs, `each of ${name} has ${links} links`)
    return { nodes, links: readLinks, spans: spanCounter(cluster, nodes), [Symbol.asyncDispose]: () => cluster.close() }
  } catch (error) {
    await cluster.close()
    throw error
  }
}

function linksOf({ receiver: { spans } }: Cluster, nodes: readonly NodeProcess[]): number[] {
  const last = new Map(
    spansNamed(spans, 'mesh.audit').map((audit) => [emitterOf(audit), numberOf(audit, 'mesh.audit.links')]),
  )
  return nodes.map(({ peer }) => last.get(peer) ?? Number.NaN)
}

function spanCounter({ receiver: { spans } }: Cluster, nodes: readonly NodeProcess[]): () => SpanCounts {
  let read = 0
  return () => {
    const fresh = Map.groupBy(spans.slice(read), emitterOf)
    read = spans.length
    return {
      byNode: nodes.map(({ peer }) => fresh.get(peer)?.length ?? 0),
      missing: missingSpans(spans),
      lost: spansNamed(spans, 'mesh.telemetry.lost').length,
    }
  }
}
