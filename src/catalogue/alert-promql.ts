import type { Durations } from './alert-durations.ts'
import type { SpanName } from './spans.ts'

/** Labels that identify a node; span metrics have no other id. */
export const byNode = 'mesh_id, mesh_node_name'

/** Scrape jobs of `otel/prometheus.yml`. */
export const jobs = { spans: 'mesh-spans', collector: 'collector' } as const

/** Counter of spans of one name; one series per node. */
export function spanCounter(span: SpanName): string {
  return `traces_span_metrics_calls_total{span_name="${span}"}`
}

/**
 * Exact increase of a counter within `window`, for events of which even the first one matters. PromQL's `increase()`
 * estimates, and misses a counter whose first scraped value is not 0.
 *
 * The base value, if there is no sample before the window: 0, if the job was scraped and had no such series. The last
 * value before the gap, if the job was not scraped; otherwise an old event would fire again. The first value, if
 * Prometheus has no earlier data at all and the series existed at the first scrape. A counter that decreased has
 * restarted.
 */
export function increase(counter: string, by: string, window: string, d: Durations, job: string = jobs.spans): string {
  const [up, past] = [`up{job="${job}"}`, d('1d')]
  return increaseSince(
    counter,
    by,
    `${counter} offset ${window}
or (last_over_time(${counter}[${past}] offset ${window}) unless on () ${up} offset ${window} == 1)
or (
  min_over_time(${counter}[${window}])
  and count_over_time(${counter}[${window}]) >= on () group_left () max(sum_over_time(${up}[${window}]))
  unless on () last_over_time(${up}[${past}] offset ${window})
)`,
  )
}

/** Increase of a counter since its value in the `past`; from 0 if that has no sample, or a higher one. */
function increaseSince(counter: string, by: string, past: string): string {
  return `sum by (${by}) (
  (
    ${counter}
    - (
${indent(indent(indent(past)))}
      or 0 * ${counter}
    )
  ) >= 0
  or ${counter}
)`
}

/** Spans of one name that a node emitted within `window`: see `increase`. */
export function spanIncrease(span: SpanName, window: string, d: Durations): string {
  return increase(spanCounter(span), byNode, window, d)
}

/**
 * Spans of one name that a node emitted within `window`, for alerts about numbers: spans from a gap in the scrapes do
 * not belong to this window. After a gap the count starts at the first sample. There is no result while spans arrive
 * late, after an outage of the Collector within `guard`, or twice.
 */
export function guardedIncrease(span: SpanName, window: string, guard: string): string {
  const [counter, up] = [spanCounter(span), `up{job="${jobs.spans}"}`]
  const past = `${counter} offset ${window}
or (min_over_time(${counter}[${window}]) unless on () ${up} offset ${window} == 1)`
  return `${increaseSince(counter, byNode, past)}
unless on () avg_over_time(${up}[${guard}]) < 0.9
unless on () max_over_time(ALERTS{alertname="MeshCollectorRefusing",alertstate="firing"}[${guard}])`
}

/** Estimated number of spans of one name within `window`: for periodic spans that are not sampled. */
export function approximateIncrease(span: SpanName, window: string): string {
  return `sum by (${byNode}) (increase(${spanCounter(span)}[${window}]))`
}

/** Running nodes whose spans arrive: a node exports a census every 30 s, whatever its share of routine spans. */
export function runningNodes(d: Durations): string {
  return `${approximateIncrease('mesh.audit', d('2m', '90s'))} > 0`
}

/** A subexpression in parentheses. */
export function parenthesized(expr: string): string {
  return `(\n${indent(expr)}\n)`
}

export function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ')
}
