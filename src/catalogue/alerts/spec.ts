import type { SpanName } from '../spans.ts'
import { type Durations, jobs } from './promql.ts'

/** A test case of an alert for `promtool test rules`. */
export interface AlertCase {
  /** Values of each series from 0, one every 10 s, in promtool's notation. */
  readonly series: Readonly<Record<string, string>>
  /** The alerts that fire at a time such as `2m30s`; an empty list: the alert must not fire. */
  readonly checks: Readonly<Record<string, readonly FiredAlert[]>>
  /** Prometheus' external label `jaeger`: URL of Jaeger's page. */
  readonly jaeger?: string
}

/** Labels besides those of the declaration, and the value of the expression if the summary prints it. */
export interface FiredAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly value?: number
}

/** The declaration of an alert. */
export interface AlertDeclaration {
  /** One line; Prometheus fills in `{{ $labels.x }}` and `{{ printf "%.0f" $value }}`. */
  readonly summary: string
  /** `critical` needs action now, `warning` can wait until morning. */
  readonly severity: 'critical' | 'warning'
  /**
   * What it is made of, which says what can falsify it. `events`: exact counts, which are right or late, so nothing holds
   * it back. `numbers`: gauges and rates; a rate leaves out spans that arrived late. `silence`: something is missing; it
   * is held back while the pipeline is incomplete (`recordings.ts`).
   */
  readonly basis: 'events' | 'numbers' | 'silence'
  /**
   * Subject of one alert, which determines its labels: `mesh_id` and `mesh_node_name`, `mesh_id`, or those of a part of
   * the stack. A node by default.
   */
  readonly per?: 'node' | 'mesh' | 'part'
  /** The mesh by default, or the export of its spans. */
  readonly about?: 'mesh' | 'pipeline'
  readonly expr: (d: Durations) => string
  /** `for` and `keep_firing_for` of the rule. */
  readonly forTime?: string
  /** No time factor shortens `for` below it. */
  readonly forAtLeast?: string
  readonly keepFiring?: string
  /** When it fires, and when it does not. */
  readonly meaning: string
  readonly cure: string
  /** Target of its link: a span, `node` (all spans of the node) or `pipeline` (Jaeger's search page). */
  readonly search: { readonly span: SpanName } | 'node' | 'pipeline'
  /** From the moment at which its scenario calls `caused` until the node has exported its spans; no time factor shortens it. */
  readonly emitDelay: string
  /** Further delays until the windows of the expression are filled. */
  readonly windowDelays?: (d: Durations) => readonly string[]
  /** By their titles: at least one that fires and one that does not. */
  readonly cases: Readonly<Record<string, AlertCase>>
}

/** A declaration with its defaults. */
export type AlertSpec = AlertDeclaration & Required<Pick<AlertDeclaration, 'per' | 'about'>>

/** Prometheus' metric for a successful scrape of the Collector's span metrics. */
export const up = 'up{job="mesh-spans",instance="collector:8889"}'

/** Series of the spans that the Collector's receiver refused, and of its target. */
export function refusedSpans(values: string, samples: number) {
  const collector = `instance="collector:8888",job="${jobs.collector}"`
  return {
    [`otelcol_receiver_refused_spans_total{${collector},receiver="otlp",transport="grpc"}`]: values,
    [`up{${collector}}`]: `1+0x${samples}`,
  }
}

/** Series of the queue at the Collector's door, and of what it sent on. */
export function spansAtDoor(queued: string, sent: string, samples: number) {
  const door = `{instance="collector:8888",job="${jobs.collector}",exporter="otlp_http/door"}`
  return {
    [`otelcol_exporter_queue_size${door}`]: queued,
    [`otelcol_exporter_queue_capacity${door}`]: `100000+0x${samples}`,
    [`otelcol_exporter_sent_spans_total${door}`]: sent,
  }
}

/** Counter series of a span as the Collector exposes it, by default of node `n1` in mesh `a`. */
export function counter(span: SpanName, node = 'n1'): string {
  const labels = `mesh_id="a",mesh_node_name="${node}",mesh_node_role="compute",instance="collector:8889"`
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

/** Cases of an alert about single events: the first one, whose alert is over at `end`, and one from before the data. */
export function eventCases(span: SpanName, first: string, end: string, samples: number) {
  return {
    [first]: {
      series: { [counter(span)]: `_x6 1+0x${samples}`, [up]: `1+0x${samples + 7}` },
      checks: { '50s': [], '1m30s': firesFor('n1'), [end]: [] },
    },
    'an old one': {
      series: { [counter(span)]: `1+0x${samples}`, [up]: `1+0x${samples}` },
      checks: { [end]: [] },
    },
  }
}
