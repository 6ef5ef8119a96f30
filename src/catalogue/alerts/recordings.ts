import {
  approximateIncrease,
  byNode,
  type Durations,
  increase,
  jobs,
  ofCollector,
  type RecordingName,
  refusedByReceiver,
  scrapeSeconds,
  spanCounter,
  spanIncrease,
} from './promql.ts'

/** A recording rule: an expression that several alerts share, or that is too long to repeat. */
export interface Recording {
  /** What the series says; a comment in the rule file. */
  readonly brief: string
  /** Evaluated with the rules of this severity, before them. */
  readonly group: 'critical' | 'warning'
  readonly expr: (d: Durations) => string
}

/** Where each mesh has a Collector of its own, the targets of that have its `mesh_id`. */
const byMesh = 'mesh_id'

/** Unix time in seconds at which an expression was last above 0, by node; 0 for never. */
function lastTime(what: string, d: Durations): string {
  return `max_over_time((
  time() * (${what} > bool 0)
)[${d('1h', '3m')}:30s])`
}

/** Spans that the Collector refused within the last two scrapes; 0 while its metrics have no such counter. */
function refusedLately(d: Durations): string {
  const refused = increase(refusedByReceiver, byMesh, d('20s', '20s'), d, jobs.collector)
  return `${refused}
or 0 * max by (${byMesh}) (up{job="${jobs.collector}"})`
}

/** Ordered stops within a minute. The series may end right after its increase, for example with the Collector. If
 * nothing was scraped before, the last earlier value counts: an old stop must not count as a new one. */
function stopsWithinMinute(d: Durations): string {
  const [stopped, window] = [spanCounter('mesh.node.stopped'), d('1m', '1m')]
  const latest = `last_over_time(${stopped}[${window}])`
  const unscraped = `last_over_time(${stopped}[${d('1h')}] offset ${window}) unless on (instance) up{job="${jobs.spans}"} offset ${window} == 1`
  return `sum by (${byNode}) (${latest} - (${stopped} offset ${window} or (${unscraped}) or 0 * ${latest}))`
}

/** Accepted spans that nothing has counted yet: they wait behind a branch that does not take them. */
function spansAtDoor(d: Durations): string {
  const atDoor = (metric: string) => ofCollector(`otelcol_exporter_${metric}`, ',exporter="otlp_http/door"')
  const size = atDoor('queue_size')
  // A Collector that has sent nothing since its start has no counter of it.
  return `max by (${byMesh}) (
  (${size} > bool 0 unless on (${byMesh}, instance) increase(${atDoor('sent_spans_total')}[${d('1m', '1m')}]) > 0)
  or ${size} / ${atDoor('queue_capacity')} > bool 0.02
)`
}

const spansUp = `up{job="${jobs.spans}"}`

/**
 * `samples` of each target of the span metrics: 0 for one that went, such as a pod without an address, as long as its
 * nodes may count as silent.
 */
function orZeroIfGone(samples: string, d: Durations): string {
  return `(${samples} or 0 * last_over_time(${spansUp}[${d('70m', '5m')}]))`
}

/** A target that was scraped every time has twelve samples in two minutes; a late scrape may leave eleven. */
const [outage, samplesOfOutage] = ['2m', 120 / scrapeSeconds - 1]

/** In the order of evaluation: each may use those before it. */
export const recordings: Readonly<Record<RecordingName, Recording>> = {
  'receiver:refused_spans:increase5m': {
    brief: 'Spans that the Collector refused at its door within five minutes.',
    group: 'critical',
    expr: (d) => increase(refusedByReceiver, 'receiver', d('5m'), d, jobs.collector),
  },
  'exporter:unqueued_spans:increase5m': {
    brief: 'Spans that did not fit into the queue of an exporter within five minutes.',
    group: 'critical',
    expr: (d) =>
      increase(ofCollector('otelcol_exporter_enqueue_failed_spans_total'), 'exporter', d('5m'), d, jobs.collector),
  },
  'exporter:unsent_spans:increase5m': {
    brief: 'Spans that an exporter failed to send for good within five minutes.',
    group: 'critical',
    expr: (d) =>
      increase(ofCollector('otelcol_exporter_send_failed_spans_total'), 'exporter', d('5m'), d, jobs.collector),
  },
  'pipeline:refused_spans:increase20s': {
    brief: 'Spans that the Collector refused within the last two scrapes.',
    group: 'critical',
    expr: refusedLately,
  },
  'pipeline:door_waits:bool': {
    brief:
      '1 while spans wait at the door of the Collector: for a minute it sent none of them on, or 2 % of its queue is in use.',
    group: 'critical',
    expr: spansAtDoor,
  },
  'pipeline:incomplete:bool': {
    brief:
      '1 while there may be spans that nobody has counted: the Collector refused some within two scrapes, they wait at its door, or within two minutes it did not answer or was no target, after which every node has connected again. Silence proves nothing then.',
    group: 'critical',
    expr: (d) => `max by (${byMesh}) (
  pipeline:refused_spans:increase20s > bool 0
  or label_replace(pipeline:door_waits:bool, "of", "door", "", "")
  or 1 - min_over_time(${spansUp}[${d(outage, outage)}])
  or label_replace(${orZeroIfGone(`count_over_time(${spansUp}[${d(outage, outage)}])`, d)} < bool ${samplesOfOutage}, "of", "gap", "", "")
)`,
  },
  'pipeline:catching_up:bool': {
    brief:
      '1 while spans may arrive that are older than a minute: the Collector refused spans, had some waiting at its door, did not answer, or was no target, throughout a minute that ended within the last three. Their number is exact, their rate is not.',
    group: 'critical',
    expr: (d) => `max by (${byMesh}) (max_over_time((
  min_over_time(pipeline:refused_spans:increase20s[${d('1m', '1m')}]) > bool 0
  or label_replace(min_over_time(pipeline:door_waits:bool[${d('1m', '1m')}]), "of", "door", "", "")
  or ${orZeroIfGone(`max_over_time(${spansUp}[${d('1m', '1m')}])`, d)} == bool 0
)[${d('3m', '3m')}:30s]))`,
  },
  'node:censuses:increase2m': {
    brief: 'Censuses of a node within two minutes: above 0, it runs and its spans arrive.',
    group: 'critical',
    expr: (d) => approximateIncrease('mesh.audit', d('2m', '90s')),
  },
  'node:last_census:timestamp': {
    brief: 'When the last census of a node was counted, within the last hour.',
    group: 'critical',
    expr: (d) => lastTime(approximateIncrease('mesh.audit', d('1m', '1m')), d),
  },
  'node:last_stop:timestamp': {
    brief: 'When the last ordered stop of a node was counted, within the last hour.',
    group: 'critical',
    expr: (d) => lastTime(stopsWithinMinute(d), d),
  },
  'node:seed_retries:increase1m': {
    brief:
      'Failed dials of seeds within a minute. A node without peers dials every 30 s, for 10 s each: a minute without a failure ends its campaign.',
    group: 'critical',
    expr: (d) => spanIncrease('mesh.seed.retry', d('1m', '1m'), d),
  },
  'node:broken_invariants:increase40s': {
    brief: 'Broken invariants that the last census found.',
    group: 'critical',
    expr: (d) => spanIncrease('mesh.leak.suspected', d('40s', '40s'), d),
  },
  'node:broken_invariants:increase5m': {
    brief: 'Broken invariants that censuses found within five minutes.',
    group: 'critical',
    expr: (d) => spanIncrease('mesh.leak.suspected', d('5m', '90s'), d),
  },
  // `increase()` ignores the first value of a series, and the ten connections of a start exceed the threshold.
  'node:connections_opened:increase1h': {
    brief: 'Connections that a node opened within an hour.',
    group: 'warning',
    expr: (d) => spanIncrease('mesh.connection.opened', d('1h'), d),
  },
  'node:connections_closed:increase1h': {
    brief: 'Connections that a node closed within an hour.',
    group: 'warning',
    expr: (d) => spanIncrease('mesh.connection.closed', d('1h'), d),
  },
  'node:starts:increase1h': {
    brief: 'Starts of a node within an hour.',
    group: 'warning',
    expr: (d) => spanIncrease('mesh.node.started', d('1h'), d),
  },
}

export const recordingNames = Object.keys(recordings) as readonly RecordingName[]

/** The recordings that an expression uses, directly or through others, in their order. */
export function recordingsIn(expr: string, d: Durations): readonly RecordingName[] {
  const used = new Set<RecordingName>()
  const texts = [expr]
  for (let text = texts.pop(); text !== undefined; text = texts.pop())
    for (const name of recordingNames)
      if (text.includes(name) && !used.has(name)) {
        used.add(name)
        texts.push(recordings[name].expr(d))
      }
  return recordingNames.filter((name) => used.has(name))
}
