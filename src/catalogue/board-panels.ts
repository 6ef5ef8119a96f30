import type { SpanName } from './spans.ts'

export interface BoardQuery {
  readonly expr: string
  /** Grafana legend template over the labels of a series. */
  readonly legend: string
}

export interface BoardPanel {
  readonly title: string
  /** What the panel shows, and what is normal. */
  readonly description: string
  readonly kind: 'stat' | 'lines' | 'bars' | 'bands' | 'alerts'
  /** Grafana unit id. */
  readonly unit?: string
  readonly queries: readonly BoardQuery[]
  /** Threshold from which a stat or a line is red. */
  readonly badFrom?: number
  /** Span to search for in Jaeger on a click on a series. */
  readonly search?: SpanName
  /** Width in columns of 24; default 8. */
  readonly columns?: number
}

export interface BoardRow {
  readonly title: string
  readonly panels: readonly BoardPanel[]
}

const selector = 'mesh_id=~"$mesh",mesh_node_name=~"$node"'
const byNode = 'mesh_id, mesh_node_name'
const node = '{{mesh_node_name}}'

function spanCounter(span: SpanName): string {
  return `traces_span_metrics_calls_total{span_name="${span}",${selector}}`
}

/** Spans per second and node, for frequent spans. */
function rate(span: SpanName, by = byNode): string {
  return `sum by (${by}) (rate(${spanCounter(span)}[$__rate_interval]))`
}

/**
 * Spans within a window, for rare spans. Unlike `increase()` it counts a counter that starts above zero. After a
 * restart of the Collector the counters restart with other labels; the sum includes both.
 */
function spanIncrease(span: SpanName, by = byNode, window = '$__rate_interval'): string {
  const now = `last_over_time(${spanCounter(span)}[${window}])`
  return `sum by (${by}) (${now} - (last_over_time(${spanCounter(span)}[1h] offset ${window}) or 0 * ${now}))`
}

function gauge(metric: string): string {
  return `max by (${byNode}) (${metric}{${selector}})`
}

function stat(title: string, description: string, expr: string, more: Partial<BoardPanel> = {}): BoardPanel {
  const queries = [{ expr: `${expr} or vector(0)`, legend: title }]
  return { title, description, kind: 'stat', columns: 4, queries, ...more }
}

function events(title: string, description: string, span: SpanName): BoardPanel {
  return { title, description, kind: 'bars', search: span, queries: [{ expr: spanIncrease(span), legend: node }] }
}

const inRange = (span: SpanName) => `sum(${spanIncrease(span, byNode, '$__range')})`
const hour = (span: SpanName) => spanIncrease(span, byNode, '1h')
const quantile = (span: SpanName) =>
  `histogram_quantile(0.95, sum by (le) (rate(traces_span_metrics_duration_milliseconds_bucket{span_name="${span}",mesh_id=~"$mesh"}[$__rate_interval])))`

/** The board, most important panels first. */
export const boardRows: readonly BoardRow[] = [
  {
    title: 'At a glance',
    panels: [
      stat(
        'Nodes',
        'Nodes with a census in the last two minutes.',
        `count(sum by (${byNode}) (increase(${spanCounter('mesh.audit')}[2m])) > 0)`,
      ),
      stat('Alerts firing', 'Normal: 0.', 'count(ALERTS{alertstate="firing",mesh_id=~"$mesh|"})', { badFrom: 1 }),
      stat('Give-ups', 'Seeds given up in the time range. Normal: 0.', inRange('mesh.seed.giveup'), { badFrom: 1 }),
      stat('Members expired', 'Deaths without a goodbye, once per expiring node.', inRange('mesh.member.expired'), {
        badFrom: 1,
      }),
      stat('Suspects', 'Ownerless connections. Normal: 0.', inRange('mesh.audit.suspect'), { badFrom: 1 }),
      stat('Spans lost', 'By all running processes. Normal: 0.', `sum(${gauge('mesh_telemetry_lost_total')})`, {
        badFrom: 1,
      }),
    ],
  },
  {
    title: 'Alerts',
    panels: [
      {
        title: 'Firing and pending',
        description: 'Meaning and remedy of each alert: otel/ALERTS.md.',
        kind: 'alerts',
        columns: 24,
        queries: [{ expr: 'ALERTS{mesh_id=~"$mesh|"}', legend: '{{alertname}}' }],
      },
    ],
  },
  {
    title: 'Links',
    panels: [
      {
        title: 'Opened and closed, per minute',
        description: 'Closed connections are drawn downwards: over time both halves are equal.',
        kind: 'lines',
        search: 'mesh.connection.closed',
        queries: [
          { expr: `60 * ${rate('mesh.connection.opened', 'mesh_id')}`, legend: '{{mesh_id}} opened' },
          { expr: `-60 * ${rate('mesh.connection.closed', 'mesh_id')}`, legend: '{{mesh_id}} closed' },
        ],
      },
      {
        title: 'Opened less closed, last hour',
        description: '0 in a stable mesh; for an hour after a start, its links. A rising line is a leak.',
        kind: 'lines',
        search: 'mesh.connection.opened',
        badFrom: 10,
        queries: [
          {
            expr: `${hour('mesh.connection.opened')} - (${hour('mesh.connection.closed')} or 0 * ${hour('mesh.connection.opened')})`,
            legend: node,
          },
        ],
      },
      {
        title: 'Connections, and links among them',
        description: 'Connections without a link are guests, or still opening. A growing gap is a leak.',
        kind: 'lines',
        search: 'mesh.audit',
        queries: [
          { expr: gauge('mesh_connections'), legend: `${node} connections` },
          { expr: gauge('mesh_links'), legend: `${node} links` },
        ],
      },
    ],
  },
  {
    title: 'Seeds',
    panels: [
      events('Retries', 'Failed attempts that are followed by another.', 'mesh.seed.retry'),
      events('Give-ups', 'Ten consecutive failures. Normal: none.', 'mesh.seed.giveup'),
      {
        title: 'Attempts, 95th percentile',
        description: 'Duration of failed attempts and of opened connections. An attempt ends after 10 s.',
        kind: 'lines',
        unit: 'ms',
        queries: [
          { expr: quantile('mesh.seed.retry'), legend: 'failed attempt' },
          { expr: quantile('mesh.connection.opened'), legend: 'connection opened' },
        ],
      },
    ],
  },
  {
    title: 'Members',
    panels: [
      {
        title: 'Members known',
        description: 'All nodes of a mesh know the same number, except for seconds.',
        kind: 'lines',
        search: 'mesh.audit',
        queries: [{ expr: gauge('mesh_members'), legend: node }],
      },
      events('Expired', 'Members pruned for their silence, by pruning node.', 'mesh.member.expired'),
      {
        title: 'Sweeps per minute',
        description: 'Normal: twelve per node. A node with fewer sweeps stalls; one without sweeps never prunes.',
        kind: 'lines',
        search: 'mesh.audit',
        queries: [{ expr: `60 * max by (${byNode}) (rate(mesh_sweeps{${selector}}[5m]))`, legend: node }],
      },
    ],
  },
  {
    title: 'Registries',
    panels: [
      {
        title: 'Size bands',
        description: 'Largest of all nodes, by registry. Traces have the same bands.',
        kind: 'bands',
        queries: [{ expr: `max by (mesh_registry) (mesh_registry_size{${selector}})`, legend: '{{mesh_registry}}' }],
      },
      {
        title: 'Fill',
        description: 'Size relative to the bound, fullest node. At 100 % the registry evicts and reports it.',
        kind: 'lines',
        unit: 'percentunit',
        badFrom: 0.9,
        search: 'mesh.limit.reached',
        queries: [
          {
            // Only the sampled span of a registry has its bound, which never changes.
            expr: `max by (mesh_id, mesh_registry) (mesh_registry_size{${selector}} / last_over_time(mesh_registry_capacity{${selector}}[1d]))`,
            legend: '{{mesh_id}} {{mesh_registry}}',
          },
        ],
      },
      events('Limits reached', 'A node refused, evicted or closed something.', 'mesh.limit.reached'),
    ],
  },
  {
    title: 'Processes',
    panels: [
      {
        title: 'Resident memory',
        description: 'MiB per node, from its census.',
        kind: 'lines',
        unit: 'mbytes',
        search: 'mesh.audit',
        queries: [{ expr: gauge('mesh_process_rss_mb'), legend: node }],
      },
      {
        title: 'CPU',
        description: 'CPU milliseconds per second and node: 1000 is one core.',
        kind: 'lines',
        unit: 'ms',
        search: 'mesh.audit',
        queries: [
          {
            expr: `max by (${byNode}) (1000 * rate(mesh_process_cpu_seconds{${selector}}[5m]) or mesh_process_cpu_ms_per_s{${selector}})`,
            legend: node,
          },
        ],
      },
      events('Stalls', 'The process was stopped, starved, or throttled by its CPU limit.', 'mesh.node.stalled'),
    ],
  },
  {
    title: 'Telemetry',
    panels: [
      {
        title: 'Spans per second',
        description: 'By the counters of the Collector.',
        kind: 'lines',
        queries: [
          {
            expr: 'sum by (mesh_id) (rate(traces_span_metrics_calls_total{mesh_id=~"$mesh"}[$__rate_interval]))',
            legend: '{{mesh_id}}',
          },
        ],
      },
      {
        title: 'Spans lost',
        description: 'Since the start of each process. Normal: 0; each step has a span with the place of the loss.',
        kind: 'lines',
        search: 'mesh.telemetry.lost',
        queries: [{ expr: gauge('mesh_telemetry_lost_total'), legend: node }],
      },
      {
        title: 'The Collector’s queue',
        description:
          'A full queue refuses spans; nodes then queue and finally lose them. It fills while Jaeger is down.',
        kind: 'lines',
        unit: 'percentunit',
        badFrom: 0.5,
        queries: [
          {
            expr: 'max by (exporter) (otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)',
            legend: '{{exporter}}',
          },
        ],
      },
      {
        title: 'Jaeger’s storage',
        description: 'Bytes of badger on its volume: a week of spans. Growth after a week means more spans.',
        kind: 'lines',
        unit: 'bytes',
        queries: [
          {
            expr: 'sum(jaeger_storage_badger_size_bytes_lsm) + sum(jaeger_storage_badger_size_bytes_vlog)',
            legend: 'Jaeger',
          },
        ],
      },
    ],
  },
]
