import { type SpanName, type SpanSpec, spans } from './spans.ts'

/**
 * Who has counters of a span in the Collector: the mesh one, every node one (`node`), or a node in trouble (`trouble`).
 * Each group has a limit on its series, so that nodes without trouble, however many, leave room for the first give-up
 * of a new one.
 */
export type CountGroup = 'mesh' | 'node' | 'trouble'

type Trouble = { readonly log: 'warn' | 'error' } | { readonly failed: true }

/** Spans with counters by node: no rule by node may count others. */
export type NodeCountedSpan = {
  [N in SpanName]: (typeof spans)[N] extends { readonly countedByNode: true } | Trouble ? N : never
}[SpanName]

export function countGroupOf(name: SpanName): CountGroup {
  const { countedByNode, failed, log }: SpanSpec = spans[name]
  if (countedByNode === true) return 'node'
  return failed === true || log === 'warn' || log === 'error' ? 'trouble' : 'mesh'
}

export function spansCountedBy(group: CountGroup): readonly SpanName[] {
  return (Object.keys(spans) as SpanName[]).filter((name) => countGroupOf(name) === group)
}

/** Series that a mesh may have of the counters by node, of each group, for one node; measured: six without trouble. */
const seriesPerNode = 20
/** Nodes of all meshes whose series one Collector and one scrape carry: docs/operating.md has the measurements. */
export const maxNodesOfCollector = 2_000
/** `CALLS_LIMIT` in `otel/collector.yaml`: for 250 nodes in each mesh. */
export const callsLimit = callsLimitFor(250)

/** The limit that `nodes` nodes in each mesh need. */
export function callsLimitFor(nodes: number): number {
  return seriesPerNode * nodes
}
