import type { NodeCountedSpan } from '../span-counts.ts'

/**
 * Scales a duration of a rule, such as `90s` or `5m`, but not below `atLeast`. Every duration of an expression goes
 * through it, so that a drill need not wait as long as an operator.
 */
export type Durations = (duration: string, atLeast?: string) => string

/** Seconds between two scrapes and between two evaluations of an urgent rule, as in `otel/prometheus.yml`. */
export const scrapeSeconds = 10
/** A rate needs two samples; of four scrapes one may be late and one missing. */
export const shortestWindow = `${4 * scrapeSeconds}s`

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** Throws RangeError unless `text` is a Prometheus duration with one unit. */
export function secondsOf(text: string): number {
  const match = /^(\d+)([smhd])$/.exec(text)
  const seconds = Number(match?.[1]) * (unitSeconds[match?.[2] ?? ''] ?? Number.NaN)
  if (seconds > 0) return seconds
  throw new RangeError(`"${text}" is not a valid duration; expected a whole number above 0 and s, m, h or d`)
}

/** `timeFactor` 1: as shipped; 0.1: a tenth of each. Throws RangeError unless 0 < `timeFactor` <= 1. */
export function durations(timeFactor: number): Durations {
  if (!(timeFactor > 0 && timeFactor <= 1)) {
    throw new RangeError(`timeFactor is ${timeFactor}; expected a number above 0 and at most 1`)
  }
  return (duration, atLeast = shortestWindow) => {
    const durationSeconds = secondsOf(duration)
    if (timeFactor === 1) return duration
    const seconds = Math.max(durationSeconds * timeFactor, Math.min(durationSeconds, secondsOf(atLeast)))
    return `${Math.ceil(seconds)}s`
  }
}

/** Labels that identify a node; span metrics have no other id. */
export const byNode = 'mesh_id, mesh_node_name'

/**
 * Scrape jobs of `otel/prometheus.yml`. Every rule about the pipeline selects them: a shared Prometheus has other
 * Collectors and Jaegers, whose jobs have the names of their services.
 */
export const jobs = {
  spans: 'mesh-spans',
  collector: 'mesh-collector',
  jaeger: 'mesh-jaeger',
  prometheus: 'mesh-prometheus',
  alertmanager: 'mesh-alertmanager',
} as const

/** A metric of the Collector of this stack; `more` as in `,exporter="a"`. */
export function ofCollector(metric: string, more = ''): string {
  return `${metric}{job="${jobs.collector}"${more}}`
}

/** Spans that the Collector refused at its door; a refusal at a later hop refuses no node. */
export const refusedByReceiver = ofCollector('otelcol_receiver_refused_spans_total', ',receiver="otlp"')

/** Nodes of the previous version have no count of sweeps: the Collector counts their spans. */
type CountedSpan = NodeCountedSpan | 'mesh.staleness.pruned'

/** Counter of spans of one name; one series per node. */
export function spanCounter(span: CountedSpan): string {
  return `traces_span_metrics_calls_total{span_name="${span}"}`
}

/**
 * Exact increase of a counter within `window`, for events of which even the first one matters. PromQL's `increase()`
 * estimates, and misses a counter whose first scraped value is not 0.
 *
 * The base value: that at the start of the window. The last one before the gap, if the job was not scraped then;
 * otherwise an old event would fire again. The first value, if Prometheus has no earlier data at all. It is 0 for a
 * series that was missing in a scrape within the window: it is new, or it expired and begins again from 0. A counter
 * that decreased has restarted.
 */
export function increase(counter: string, by: string, window: string, d: Durations, job: string = jobs.spans): string {
  const [up, past] = [`up{job="${job}"}`, d('1d')]
  return increaseSince(
    counter,
    by,
    `(
  ${counter} offset ${window}
  or (last_over_time(${counter}[${past}] offset ${window}) unless on (instance) ${up} offset ${window} == 1)
  or (min_over_time(${counter}[${window}]) unless on (instance) last_over_time(${up}[${past}] offset ${window}))
)
unless (${missedBy(counter, window, up)})`,
  )
}

/** Series that a scrape of their Collector within `window` missed. */
function missedBy(counter: string, window: string, up: string): string {
  return `count_over_time(${counter}[${window}]) < on (instance) group_left () sum_over_time(${up}[${window}])`
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
export function spanIncrease(span: NodeCountedSpan, window: string, d: Durations): string {
  return increase(spanCounter(span), byNode, window, d)
}

/** Series of the recording rules, which `recordings.ts` declares. */
export type RecordingName =
  | 'receiver:refused_spans:increase5m'
  | `exporter:${'unqueued_spans' | 'unsent_spans'}:increase5m`
  | `pipeline:${'refused_spans:increase20s' | 'door_waits:bool' | 'incomplete:bool' | 'catching_up:bool'}`
  | `node:${'censuses:increase2m' | 'last_census:timestamp' | 'last_stop:timestamp' | 'seed_retries:increase1m'}`
  | `node:broken_invariants:${'increase40s' | 'increase5m'}`
  | `node:${'connections_opened' | 'connections_closed' | 'starts'}:increase1h`

/** The series of a recording rule; a name without a rule does not compile. */
export function recorded(name: RecordingName): string {
  return name
}

/**
 * A vector while a recorded condition of the pipeline holds: of the Collector of all meshes, whose targets have no
 * `mesh_id`, or of that of its own mesh.
 */
export function during(condition: RecordingName, vector: string): string {
  return `${vector} and on () ${condition}{mesh_id=""} == 1
or ${vector} and on (mesh_id) ${condition} == 1`
}

/**
 * Spans of one name that a node emitted within `window`, for alerts about rates: spans that arrived late do not belong
 * to this window. The count starts after the last scrape that may contain some (`pipeline:catching_up:bool`), and after
 * a gap at the first sample.
 */
export function timelyIncrease(span: NodeCountedSpan, window: string): string {
  const [counter, up] = [spanCounter(span), `up{job="${jobs.spans}"}`]
  const past = `last_over_time((
${indent(during('pipeline:catching_up:bool', counter))}
)[${window}:${scrapeSeconds}s])
or (${counter} offset ${window} unless (${missedBy(counter, window, up)}))
or (min_over_time(${counter}[${window}]) unless on (instance) ${up} offset ${window} == 1)`
  return increaseSince(counter, byNode, past)
}

/** Estimated number of spans of one name within `window`: for periodic spans that are not sampled. */
export function approximateIncrease(span: CountedSpan, window: string): string {
  return `sum by (${byNode}) (increase(${spanCounter(span)}[${window}]))`
}

/** Running nodes whose spans arrive: a node exports a census every 30 s, whatever its share of routine spans. */
export const runningNodes = `${recorded('node:censuses:increase2m')} > 0`

/** A subexpression in parentheses. */
export function parenthesized(expr: string): string {
  return `(\n${indent(expr)}\n)`
}

export function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ')
}
