import type { Durations } from './alert-durations.ts'
import type { SpanName } from './spans.ts'

/** Labels that name a node; the Collector has no other id of one. */
export const byNode = 'mesh_id, mesh_node_name'

/** Scrape jobs of `otel/prometheus.yml`. */
export const jobs = { spans: 'mesh-spans', collector: 'collector' } as const

/** The counter of spans of one name; one series per node. */
export function spanCounter(span: SpanName): string {
  return `traces_span_metrics_calls_total{span_name="${span}"}`
}

/**
 * How much a counter rose within `window`, exactly, for events of which the first and only one matters. `increase()`
 * estimates, and misses a counter whose first scraped value is not 0.
 *
 * Where the past has no sample, it depends on why. The job was scraped and had no such series: it counts from 0. The job
 * was not scraped: what came last before the gap counts, or an old event would ring again. Nothing is known of the past
 * (Prometheus is new, or lost its database) and the series was there at the first scrape: what it was then counts. A
 * counter that went back began anew.
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

/** How much a counter has grown since what it was in the `past`, from 0 where that has no sample, or is more. */
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

/** Spans of one name that a node told within `window`: see `rise`. */
export function spanIncrease(span: SpanName, window: string, d: Durations): string {
  return increase(spanCounter(span), byNode, window, d)
}

/**
 * Spans of one name that a node told within `window`, for alerts about how many: what happened while nobody watched is
 * not of this window. After a gap in the scrapes the count begins with the first sample; while spans come late, after an
 * absence of the Collector within `guard`, and while some come twice, there is none.
 */
export function guardedIncrease(span: SpanName, window: string, guard: string): string {
  const [counter, up] = [spanCounter(span), `up{job="${jobs.spans}"}`]
  const past = `${counter} offset ${window}
or (min_over_time(${counter}[${window}]) unless on () ${up} offset ${window} == 1)`
  return `${increaseSince(counter, byNode, past)}
unless on () avg_over_time(${up}[${guard}]) < 0.9
unless on () max_over_time(ALERTS{alertname="MeshCollectorRefusing",alertstate="firing"}[${guard}])`
}

/** About as many spans of one name within `window`: for what is told all the time, and is no routine of which a share leaves. */
export function approximateIncrease(span: SpanName, window: string): string {
  return `sum by (${byNode}) (increase(${spanCounter(span)}[${window}]))`
}

/** Nodes that run and whose spans arrive: a census leaves its node every 30 s, whichever share of the routine does. */
export function runningNodes(d: Durations): string {
  return `${approximateIncrease('mesh.audit', d('2m', '90s'))} > 0`
}

/** An expression within another, in brackets of its own. */
export function parenthesized(expr: string): string {
  return `(\n${indent(expr)}\n)`
}

export function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ')
}
