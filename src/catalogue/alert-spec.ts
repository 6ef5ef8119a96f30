import type { Durations } from './alert-durations.ts'
import type { SpanName } from './spans.ts'

/** What an alert must do in `promtool test rules`. */
export interface AlertCase {
  readonly title: string
  /** Values of series from 0 on, one each 10 s, in promtool's notation. */
  readonly series: Readonly<Record<string, string>>
  readonly checks: readonly AlertCheck[]
  /** Prometheus' external label of that name: where Jaeger's page is. */
  readonly jaeger?: string
}

export interface AlertCheck {
  readonly at: string
  /** None: silent. */
  readonly fires: readonly FiredAlert[]
}

/** Labels that it has beyond those of its declaration, and the value of the expression where the summary prints it. */
export interface FiredAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly value?: number
}

export interface AlertSpec {
  /** One line; `{{ $labels.x }}` and `{{ printf "%.0f" $value }}` are filled in by Prometheus. */
  readonly summary: string
  /** `page` wakes somebody, `warn` waits for the morning. */
  readonly severity: 'page' | 'warn'
  /** What one alert of it is about; says which labels it has: `mesh_id` and `mesh_node_name`, `mesh_id`, or others. */
  readonly per: 'node' | 'mesh' | 'part'
  /** Those about the mesh are held back while the way of the spans itself is broken. */
  readonly about: 'mesh' | 'pipeline'
  readonly expr: (d: Durations) => string
  /** How long the expression must be true, and how long the alert stays on afterwards. */
  readonly forTime?: string
  readonly keepFiring?: string
  /** When it rings, and when it does not. */
  readonly meaning: string
  readonly cure: string
  /** What its link searches for; `node`: all that the node tells, `pipeline`: Jaeger's search page. */
  readonly search: { readonly span: SpanName } | 'node' | 'pipeline'
  /** From the cause until the spans that tell of it have left their node; no time factor shortens it. */
  readonly emitDelay: string
  /** From there until the windows of the expression have seen enough. */
  readonly windowDelays?: (d: Durations) => readonly string[]
  /** At least one that fires and one that stays silent. */
  readonly cases: readonly AlertCase[]
}
