import type { FiredAlert } from './alert-spec.ts'
import type { SpanName } from './spans.ts'

/** Prometheus' metric for a successful scrape of the Collector's span metrics. */
export const up = 'up{job="mesh-spans",instance="collector:8889"}'

/** Counter series of a span as the Collector exposes it, by default of node `n1` in mesh `a`. */
export function counter(span: SpanName, node = 'n1'): string {
  const labels = `mesh_id="a",mesh_node_name="${node}",mesh_node_role="compute"`
  return `traces_span_metrics_calls_total{span_name="${span}",${labels}}`
}

/** `samples` values of a counter that each census raises by `step`, every 30 s, starting at `from`. */
export function censuses(samples: number, step = 1, from = 0): string {
  return Array.from({ length: Math.ceil(samples / 3) }, (_, index) => `${from + index * step}x2`).join(' ')
}

/** Gauge series that the Collector derives from the census; `more` as in `,mesh_registry="peers"`. */
export function gauge(metric: string, more = '', node = 'n1'): string {
  return `${metric}{mesh_id="a",mesh_node_name="${node}"${more}}`
}

/** Series with the same values for several nodes. */
export function ofNodes(nodes: readonly string[], name: (node: string) => string, values: string) {
  return Object.fromEntries(nodes.map((node) => [name(node), values]))
}

export function firesFor(node: string, value?: number): readonly FiredAlert[] {
  return [{ labels: { mesh_id: 'a', mesh_node_name: node }, ...(value !== undefined && { value }) }]
}

export function firesForMesh(value?: number): readonly FiredAlert[] {
  return [{ labels: { mesh_id: 'a' }, ...(value !== undefined && { value }) }]
}
