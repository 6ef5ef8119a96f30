import type { Durations } from './alert-durations.ts'
import type { SpanName } from './spans.ts'

/** A test case of an alert for `promtool test rules`. */
export interface AlertCase {
  readonly title: string
  /** Values of each series from 0, one every 10 s, in promtool's notation. */
  readonly series: Readonly<Record<string, string>>
  readonly checks: readonly AlertCheck[]
  /** Prometheus' external label `jaeger`: URL of Jaeger's page. */
  readonly jaeger?: string
}

export interface AlertCheck {
  readonly at: string
  /** Firing alerts; empty if the alert must not fire. */
  readonly fires: readonly FiredAlert[]
}

/** Labels besides those of the declaration, and the value of the expression if the summary prints it. */
export interface FiredAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly value?: number
}

export interface AlertSpec {
  /** One line; Prometheus fills in `{{ $labels.x }}` and `{{ printf "%.0f" $value }}`. */
  readonly summary: string
  /** `page` needs action now, `warn` can wait until morning. */
  readonly severity: 'page' | 'warn'
  /** Subject of one alert, which determines its labels: `mesh_id` and `mesh_node_name`, `mesh_id`, or others. */
  readonly per: 'node' | 'mesh' | 'part'
  /** Alertmanager inhibits alerts about the mesh while the export of spans is broken. */
  readonly about: 'mesh' | 'pipeline'
  readonly expr: (d: Durations) => string
  /** `for` and `keep_firing_for` of the rule. */
  readonly forTime?: string
  readonly keepFiring?: string
  /** When it fires, and when it does not. */
  readonly meaning: string
  readonly cure: string
  /** Target of its link: a span, `node` (all spans of the node) or `pipeline` (Jaeger's search page). */
  readonly search: { readonly span: SpanName } | 'node' | 'pipeline'
  /** From the cause until the node has exported its spans; no time factor shortens it. */
  readonly emitDelay: string
  /** Further delays until the windows of the expression are filled. */
  readonly windowDelays?: (d: Durations) => readonly string[]
  /** At least one that fires and one that does not. */
  readonly cases: readonly AlertCase[]
}
