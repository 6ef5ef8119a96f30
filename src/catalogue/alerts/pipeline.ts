import {
  byNode,
  type Durations,
  increase,
  indent,
  jobs,
  ofCollector,
  recorded,
  shortestWindow,
  spanIncrease,
} from './promql.ts'
import { type AlertDeclaration, counter, firesFor, gauge, up } from './spec.ts'

const [queue, capacity] = [ofCollector('otelcol_exporter_queue_size'), ofCollector('otelcol_exporter_queue_capacity')]
const queueRatio = `max by (exporter) (${queue} / ${capacity})`

/** Exporters that write the archive, or wait for it. */
const [archiveQueue, archiveFiles] = ['otlp_grpc/archive', 'file/spans']

const [unqueued, unsent] = [
  recorded('exporter:unqueued_spans:increase5m'),
  recorded('exporter:unsent_spans:increase5m'),
]

/** Spans that the Collector refused, could not queue, or could not send to Jaeger: one arm each, since labels differ. */
function refusedSpans(): string {
  const others = `{exporter!~"${archiveQueue}|${archiveFiles}"}`
  return `${recorded('receiver:refused_spans:increase5m')} > 0
or ${unqueued}${others} > 0
or ${unsent}${others} > 0`
}

/** Attempts to write the archive that failed, and spans that did not fit into its queue. */
function unarchivedSpans(): string {
  return `${unsent}{exporter="${archiveFiles}"} > 0
or ${unqueued}{exporter="${archiveQueue}"} > 0`
}

/**
 * Bulk requests to OpenSearch or Elasticsearch that failed, and documents that it rejected, as Jaeger counts them; with
 * badger there are none.
 */
function failedWrites(d: Durations): string {
  const failed = ['latency_err_seconds_count', 'errors_total'].map((name) =>
    increase(`jaeger_storage_bulk_index_${name}{job="${jobs.jaeger}"}`, 'job', d('5m'), d, jobs.jaeger),
  )
  return failed.map((expr) => `label_replace(${expr}, "exporter", "${jaegerStorage}", "", "") > 0`).join('\nor ')
}

/** In place of an exporter of the Collector. */
const jaegerStorage = 'storage of Jaeger'

const ours = `up{job=~"${Object.values(jobs).join('|')}"}`

/** Jobs without a target, which `up` does not have: on Kubernetes that of a pod without an address. */
function withoutTarget(d: Durations): string {
  const needed = [jobs.spans, jobs.collector, jobs.jaeger]
  const targets = `up{job=~"${needed.join('|')}"}`
  return [
    `count by (job, mesh_id) (last_over_time(${targets}[${d('1h')}])) unless on (job, mesh_id) ${targets}`,
    ...needed.map((job) => `absent(up{job="${job}"})`),
  ].join('\nor ')
}

const collector = `instance="collector:8888",job="${jobs.collector}"`
const upCollector = `up{${collector}}`
const ofJaeger = (metric: string) => `${metric}{${collector},exporter="otlp_grpc/jaeger"}`
const jaegerTarget = `instance="jaeger:8888",job="${jobs.jaeger}"`
const upJaeger = `up{${jaegerTarget}}`
const ofStorage = (name: string) => `jaeger_storage_bulk_index_${name}{${jaegerTarget}}`
/** Series of the targets without which nothing is counted or stored. */
function pipelineUp(samples: number): Record<string, string> {
  return Object.fromEntries([up, upCollector, upJaeger].map((series) => [series, `1+0x${samples}`]))
}

function noTarget(job: string, more: Readonly<Record<string, string>> = {}) {
  return { labels: { job, instance: 'no address', ...more } }
}

const firesForJaeger = [{ labels: { exporter: 'otlp_grpc/jaeger' } }]

/** Alerts about the export of spans. */
export const pipelineAlerts = {
  MeshTelemetryLost: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has lost spans',
    severity: 'warning',
    basis: 'events',
    about: 'pipeline',
    expr: (d) => `${spanIncrease('mesh.telemetry.lost', d('15m'), d)} > 0
or sum by (${byNode}) (increase(mesh_telemetry_lost_total[${d('15m')}])) > 0`,
    meaning:
      'Spans of a node are lost: its queue was full during an outage of the receiver, or the Collector rejected them permanently. All span counts are too low.',
    cure: 'mesh.lost.where: ring is an outage beyond the queue of 20,000 spans (hours for an idle node, minutes for a busy one); refused is a rejection by the Collector, see its log. Gaps in mesh.seq show which spans are missing.',
    search: { span: 'mesh.telemetry.lost' },
    emitDelay: '2s',
    cases: {
      'the first loss': {
        series: { [counter('mesh.telemetry.lost')]: '_x6 1+0x120', [up]: '1+0x127' },
        checks: { '50s': [], '1m30s': firesFor('n1'), '18m': [] },
      },
      'a loss that only the census reports': {
        series: { [gauge('mesh_telemetry_lost_total')]: '0+0x6 40+0x60' },
        checks: { '2m': firesFor('n1') },
      },
      'no loss since a restart': {
        series: { [gauge('mesh_telemetry_lost_total')]: '40+0x6 0+0x60' },
        checks: { '2m': [] },
      },
    },
  },
  MeshCollectorRefusing: {
    summary: 'The Collector refuses or loses spans ({{ $labels.receiver }}{{ $labels.exporter }})',
    severity: 'critical',
    basis: 'events',
    per: 'part',
    about: 'pipeline',
    expr: refusedSpans,
    keepFiring: '2m',
    meaning:
      'Within five minutes the Collector refused spans, could not queue them, or permanently failed to send them. Nodes queue refused spans and send them again, and each is counted once. Alerts about the mesh that count events fire as usual; no further node counts as silent meanwhile.',
    cure: 'receiver otlp: the Collector is short of memory, or a queue or its disk is full; see MeshCollectorQueueFilling. exporter otlp_http/door, or otlp_grpc/jaeger with it: the disk of the queues is full; make room before Jaeger starts again, because the Collector loses what it reads from a queue on a full disk. exporter otlp_grpc/jaeger alone: Jaeger rejects spans for good; see the Collector’s log. The archive has them.',
    search: 'pipeline',
    emitDelay: '2s',
    cases: {
      'enqueue failures whose counter starts above 0': {
        series: {
          [ofJaeger('otelcol_exporter_enqueue_failed_spans_total')]: '_x6 12+0x60',
          [ofJaeger('otelcol_exporter_send_failed_spans_total')]: '0+0x66',
          [upCollector]: '1+0x66',
        },
        checks: { '50s': [], '1m30s': firesForJaeger, '10m': [] },
      },
      'spans refused by the receiver': {
        series: {
          [`otelcol_receiver_refused_spans_total{${collector},receiver="otlp",transport="grpc"}`]: '0+0x6 358+0x60',
          [upCollector]: '1+0x66',
        },
        checks: { '1m30s': [{ labels: { receiver: 'otlp' } }] },
      },
      'hops within the Collector, and its archive': {
        series: {
          [`otelcol_receiver_refused_spans_total{${collector},receiver="otlp/inside",transport="grpc"}`]:
            '0+0x6 5+5x60',
          [`otelcol_exporter_send_failed_spans_total{${collector},exporter="file/spans"}`]: '0+0x6 5+5x60',
          [`otelcol_exporter_enqueue_failed_spans_total{${collector},exporter="otlp_grpc/archive"}`]: '0+0x6 5+5x60',
          [upCollector]: '1+0x66',
        },
        checks: { '5m': [] },
      },
      'a Collector and a Jaeger of someone else lose spans': {
        series: {
          'otelcol_receiver_refused_spans_total{job="collector",instance="other:8888",receiver="otlp"}': '0+5x66',
          'otelcol_exporter_enqueue_failed_spans_total{job="collector",instance="other:8888",exporter="otlp"}':
            '0+5x66',
          'otelcol_exporter_send_failed_spans_total{job="collector",instance="other:8888",exporter="otlp"}': '0+5x66',
          'up{job="collector",instance="other:8888"}': '1+0x66',
        },
        checks: { '5m': [] },
      },
      'old refusals only': {
        series: {
          [`otelcol_receiver_refused_spans_total{${collector},receiver="otlp",transport="grpc"}`]: '358+0x90',
          [ofJaeger('otelcol_exporter_send_failed_spans_total')]: '0+0x90',
          [upCollector]: '1+0x90',
        },
        checks: { '14m': [] },
      },
    },
  },
  MeshArchiveLost: {
    summary: 'The Collector does not write its archive of spans ({{ $labels.exporter }})',
    severity: 'warning',
    basis: 'events',
    per: 'part',
    about: 'pipeline',
    expr: unarchivedSpans,
    keepFiring: '2m',
    meaning:
      'Within five minutes the Collector could not write spans to its files, or they did not fit into the queue before it. Jaeger and all counts have them. The queue holds 50,000 spans, and tries again until it can write.',
    cure: 'exporter file/spans: the disk of the archive is full, or not writable; see the Collector’s log. exporter otlp_grpc/archive: it is for longer than the queue lasts, or a write hangs; these spans are not in the archive.',
    search: 'pipeline',
    emitDelay: '2s',
    cases: {
      'a write fails': {
        series: {
          [`otelcol_exporter_send_failed_spans_total{${collector},exporter="file/spans"}`]: '_x6 12+0x60',
          [upCollector]: '1+0x66',
        },
        checks: { '50s': [], '1m30s': [{ labels: { exporter: 'file/spans' } }], '10m': [] },
      },
      'the queue before the archive is full': {
        series: {
          [`otelcol_exporter_enqueue_failed_spans_total{${collector},exporter="otlp_grpc/archive"}`]: '_x6 12+5x60',
          [upCollector]: '1+0x66',
        },
        checks: { '50s': [], '1m30s': [{ labels: { exporter: 'otlp_grpc/archive' } }] },
      },
      'Jaeger and the receiver refuse': {
        series: {
          [ofJaeger('otelcol_exporter_send_failed_spans_total')]: '_x6 12+5x60',
          [`otelcol_receiver_refused_spans_total{${collector},receiver="otlp/archive",transport="grpc"}`]:
            '_x6 12+5x60',
          [upCollector]: '1+0x66',
        },
        checks: { '5m': [] },
      },
    },
  },
  MeshCollectorQueueFilling: {
    summary: 'The Collector’s queue for {{ $labels.exporter }} is filling',
    severity: 'warning',
    basis: 'numbers',
    per: 'part',
    about: 'pipeline',
    expr: (d) => `${queueRatio} > 0.5
or max by (exporter) (predict_linear(${queue}[${d('10m')}], 21600) / ${capacity}) > 1
  and ${queueRatio} > 0.02
or ${failedWrites(d)}`,
    forTime: '1m',
    meaning:
      'The queue is half full; or more than 2 % is in use and it will be full within six hours at the rate of the last ten minutes; or, for the storage of Jaeger, OpenSearch fails or rejects writes, so that the queue begins to fill. When Jaeger’s is full, the one at the door (otlp_http/door) fills, and then the Collector counts nothing and refuses spans. When that of the archive is full, the archive loses spans.',
    cure: 'The target of the exporter is down or too slow. MeshPipelineDown fires if Jaeger is down; otherwise check its disk and memory. For the storage of Jaeger: _cluster/health and _cat/allocation of OpenSearch say whether it is red, or a disk is above its flood stage; the log of Jaeger has the reason of each failure. The queue is on disk and survives a restart of the Collector; it drains by itself.',
    search: 'pipeline',
    emitDelay: '30s',
    windowDelays: () => [shortestWindow],
    cases: {
      'more than half full': {
        series: {
          [ofJaeger('otelcol_exporter_queue_size')]: '0+0x6 300000+0x60',
          [ofJaeger('otelcol_exporter_queue_capacity')]: '500000+0x66',
        },
        checks: { '2m': [], '2m30s': firesForJaeger },
      },
      'full in five and a half hours': {
        series: {
          [ofJaeger('otelcol_exporter_queue_size')]: '0+250x60',
          [ofJaeger('otelcol_exporter_queue_capacity')]: '500000+0x60',
        },
        checks: { '6m': [], '9m': firesForJaeger },
      },
      'OpenSearch that fails writes, for the first time': {
        series: {
          [ofStorage('latency_err_seconds_count')]: '_x6 1 2+0x60',
          [ofStorage('errors_total')]: '0+0x67',
          [upJaeger]: '1+0x67',
        },
        checks: { '50s': [], '2m30s': [{ labels: { job: jobs.jaeger, exporter: jaegerStorage } }], '10m': [] },
      },
      'documents that OpenSearch rejected long ago': {
        series: { [ofStorage('errors_total')]: '7+0x90', [upJaeger]: '1+0x90' },
        checks: { '14m': [] },
      },
      'a Collector and a Jaeger of someone else': {
        series: {
          'otelcol_exporter_queue_size{job="collector",instance="other:8888",exporter="otlp"}': '900+0x66',
          'otelcol_exporter_queue_capacity{job="collector",instance="other:8888",exporter="otlp"}': '1000+0x66',
          'jaeger_storage_bulk_index_errors_total{job="jaeger",instance="other:8888"}': '0+5x66',
          'up{job="jaeger",instance="other:8888"}': '1+0x66',
        },
        checks: { '5m': [] },
      },
      'a burst that drains': {
        series: {
          [ofJaeger('otelcol_exporter_queue_size')]: '0+0x6 4000 2000 0+0x60',
          [ofJaeger('otelcol_exporter_queue_capacity')]: '500000+0x68',
        },
        checks: { '1m20s': [], '4m': [] },
      },
    },
  },
  MeshPipelineDown: {
    summary: '{{ $labels.job }} at {{ $labels.instance }} does not answer',
    severity: 'critical',
    basis: 'numbers',
    per: 'part',
    about: 'pipeline',
    // A target that restarts repeatedly is never down for a minute, but loses its counts each time.
    expr: (d) => `${ours} == 0
or changes(${ours}[${d('5m', '2m')}]) > 3
or label_replace(
${indent(withoutTarget(d))},
  "instance", "no address", "", ""
)`,
    forTime: '1m',
    keepFiring: '2m',
    meaning:
      'A service of the pipeline has been down for a minute, or twice within five: jobs mesh-collector and mesh-spans are the Collector; mesh-jaeger and mesh-alertmanager are themselves. Or its job has had no target for a minute, at no address: on Kubernetes no pod of it exists. While the Collector is down nothing is counted, and no further node counts as silent until two minutes after.',
    cure: 'Start it again; its log has the reason. At no address: `kubectl get pods` shows whether its pod is missing or waits for a machine or a volume. Nodes queue 20,000 spans each while the Collector is down; the Collector queues spans on disk while Jaeger is down. No span is lost for hours.',
    search: 'pipeline',
    emitDelay: '0s',
    cases: {
      'Jaeger is down': {
        series: { ...pipelineUp(66), [upJaeger]: '1+0x6 0+0x60' },
        checks: { '2m': [], '2m30s': [{ labels: { job: jobs.jaeger, instance: 'jaeger:8888' } }] },
      },
      'two scrapes fail': {
        series: { ...pipelineUp(68), [upJaeger]: '1+0x6 0 0 1+0x60' },
        checks: { '1m20s': [], '3m': [] },
      },
      'the Collector exits every 50 s and is back after 10 s': {
        series: { ...pipelineUp(88), [up]: '1+0x6 0 1 1 1 1 0 1 1 1 1 0 1 1 1 1 0 1 1 1 1 0 1+0x60' },
        checks: { '2m': [], '4m': [{ labels: { job: jobs.spans, instance: 'collector:8889' } }], '13m': [] },
      },
      'the pod of the Collector has no address, so that its targets go; later it is back': {
        series: {
          ...pipelineUp(120),
          [up]: '1+0x6 stale _x20 1+0x90',
          [upCollector]: '1+0x6 stale _x20 1+0x90',
        },
        checks: { '1m50s': [], '2m30s': [noTarget(jobs.spans), noTarget(jobs.collector)], '9m': [] },
      },
      'no Jaeger was ever a target': {
        series: { [up]: '1+0x30', [upCollector]: '1+0x30' },
        checks: { '50s': [], '2m': [noTarget(jobs.jaeger)] },
      },
      'each mesh has its own Collector, and one has no address': {
        series: {
          [upCollector]: '1+0x30',
          [upJaeger]: '1+0x30',
          'up{job="mesh-spans",instance="collector:8889",mesh_id="a"}': '1+0x30',
          'up{job="mesh-spans",instance="b-collector:8889",mesh_id="b"}': '1+0x6 stale',
        },
        checks: { '1m50s': [], '2m30s': [noTarget(jobs.spans, { mesh_id: 'b' })] },
      },
      'a Jaeger in another pod, at another address': {
        series: {
          [up]: '1+0x60',
          [upCollector]: '1+0x60',
          'up{job="mesh-jaeger",instance="10.0.0.1:8888"}': '1+0x6 stale',
          'up{job="mesh-jaeger",instance="10.0.0.2:8888"}': '_x7 1+0x53',
        },
        checks: { '3m': [], '9m': [] },
      },
      'targets of someone else are down, or restart': {
        series: {
          ...pipelineUp(60),
          'up{job="collector",instance="other:8888"}': '0+0x60',
          'up{job="jaeger",instance="other:8888"}': '0+0x60',
          'up{job="shop",instance="shop:80"}': '1+0x6 0 1 0 1 0 1 0 1 0 1 0 1+0x40',
        },
        checks: { '2m': [], '4m': [], '9m': [] },
      },
    },
  },
} as const satisfies Record<string, AlertDeclaration>
