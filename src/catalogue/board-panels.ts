import type { SpanName } from './spans.ts'

export interface BoardQuery {
  readonly expr: string
  /** Grafana's template over the labels of a series. */
  readonly legend: string
}

export interface BoardPanel {
  readonly title: string
  /** What is normal, and what is not. */
  readonly description: string
  readonly kind: 'stat' | 'lines' | 'bars' | 'bands' | 'alerts'
  /** Grafana's id of a unit. */
  readonly unit?: string
  readonly queries: readonly BoardQuery[]
  /** From this value on a stat is red, and a line crosses a threshold. */
  readonly badFrom?: number
  /** A click on a series searches for this span of its node. */
  readonly search?: SpanName
  /** Columns of 24; 8 unless said. */
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

/** Spans per second and node: for what is told all the time. */
function rate(span: SpanName, by = byNode): string {
  return `sum by (${by}) (rate(${spanCounter(span)}[$__rate_interval]))`
}

/**
 * Spans of a window: for what is rare. The rise of a counter that is born above zero is seen by this and not by
 * `increase()`; after a restart of the Collector the counters begin anew under other labels, and are summed.
 */
function spanIncrease(span: SpanName, by = byNode, window = '$__rate_interval'): string {
  const now = `last_over_time(${spanCounter(span)}[${window}])`
  return `sum by (${by}) (${now} - (last_over_time(${spanCounter(span)}[1h] offset ${window}) or 0 * ${now}))`
}

function gauge(metric: string): string {
  return `max by (${byNode}) (${metric}{${selector}})`
}

function stat(title: string, description: string, expr: string, more: Partial<BoardPanel> = {}): BoardPanel {
  return {
    title,
    description,
    kind: 'stat',
    columns: 4,
    queries: [{ expr: `${expr} or vector(0)`, legend: title }],
    ...more,
  }
}

function events(title: string, description: string, span: SpanName): BoardPanel {
  return { title, description, kind: 'bars', search: span, queries: [{ expr: spanIncrease(span), legend: node }] }
}

const inRange = (span: SpanName) => `sum(${spanIncrease(span, byNode, '$__range')})`
const hour = (span: SpanName) => spanIncrease(span, byNode, '1h')
const quantile = (span: SpanName) =>
  `histogram_quantile(0.95, sum by (le) (rate(traces_span_metrics_duration_milliseconds_bucket{span_name="${span}",mesh_id=~"$mesh"}[$__rate_interval])))`

/** The board: what an operator asks first, from the top. */
export const boardRows: readonly BoardRow[] = [
  {
    title: 'At a glance',
    panels: [
      stat(
        'Nodes',
        'Nodes whose census came in the last two minutes.',
        `count(sum by (${byNode}) (increase(${spanCounter('mesh.audit')}[2m])) > 0)`,
      ),
      stat('Alerts firing', 'Normal: 0.', 'count(ALERTS{alertstate="firing",mesh_id=~"$mesh|"})', { badFrom: 1 }),
      stat('Give-ups', 'Seeds given up in the time shown. Normal: 0.', inRange('mesh.seed.giveup'), { badFrom: 1 }),
      stat('Members expired', 'Died without a goodbye, counted by each who noticed.', inRange('mesh.member.expired'), {
        badFrom: 1,
      }),
      stat('Suspects', 'Told in the time shown: held, and nobody’s. Normal: 0.', inRange('mesh.audit.suspect'), {
        badFrom: 1,
      }),
      stat('Spans lost', 'By the processes that run. Normal: 0.', `sum(${gauge('mesh_telemetry_lost_total')})`, {
        badFrom: 1,
      }),
    ],
  },
  {
    title: 'Alerts',
    panels: [
      {
        title: 'Firing and pending',
        description: 'What each means, and its cure: otel/ALERTS.md.',
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
        description: 'Closed is drawn downwards: over time both halves are alike.',
        kind: 'lines',
        search: 'mesh.connection.closed',
        queries: [
          { expr: `60 * ${rate('mesh.connection.opened', 'mesh_id')}`, legend: '{{mesh_id}} opened' },
          { expr: `-60 * ${rate('mesh.connection.closed', 'mesh_id')}`, legend: '{{mesh_id}} closed' },
        ],
      },
      {
        title: 'Opened less closed, last hour',
        description:
          '0 in a mesh that stays as it is; for an hour after a start, its links. What climbs is not closed.',
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
        description: 'Connections without a link are guests, or on their way. A gap that grows is a leak.',
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
      events('Retries', 'Failed attempts that another follows.', 'mesh.seed.retry'),
      events('Give-ups', 'Ten failures in a row. Normal: none.', 'mesh.seed.giveup'),
      {
        title: 'Attempts, 95th percentile',
        description: 'Time of an attempt that failed, and of opening a connection. An attempt ends after 10 s.',
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
        description: 'Of one mesh all nodes know as many, but for seconds.',
        kind: 'lines',
        search: 'mesh.audit',
        queries: [{ expr: gauge('mesh_members'), legend: node }],
      },
      events('Expired', 'Pruned for their silence, by who pruned them.', 'mesh.member.expired'),
      {
        title: 'Sweeps per minute',
        description: 'Twelve per node. A node that sweeps less stalls; one that sweeps never prunes nobody.',
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
        description: 'Largest of all nodes, by registry. The bands are those that traces are searched by.',
        kind: 'bands',
        queries: [{ expr: `max by (mesh_registry) (mesh_registry_size{${selector}})`, legend: '{{mesh_registry}}' }],
      },
      {
        title: 'Fill',
        description: 'Size against the bound, fullest node. At 100 % the oldest are evicted, and that is told.',
        kind: 'lines',
        unit: 'percentunit',
        badFrom: 0.9,
        search: 'mesh.limit.reached',
        queries: [
          {
            // A bound is told with the registry's span alone, of which only a share leaves, and it does not change.
            expr: `max by (mesh_id, mesh_registry) (mesh_registry_size{${selector}} / last_over_time(mesh_registry_capacity{${selector}}[1d]))`,
            legend: '{{mesh_id}} {{mesh_registry}}',
          },
        ],
      },
      events('Limits reached', 'Something was refused, evicted or closed.', 'mesh.limit.reached'),
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
        description: 'Milliseconds of a core per second and node: 1000 is one core.',
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
      events('Stalls', 'The process slept: stopped, starved, or throttled by its CPU limit.', 'mesh.node.stalled'),
    ],
  },
  {
    title: 'Telemetry',
    panels: [
      {
        title: 'Spans per second',
        description: 'As the Collector counted them.',
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
        description: 'Since the start of each process. Normal: 0; a step has its own span, which says where.',
        kind: 'lines',
        search: 'mesh.telemetry.lost',
        queries: [{ expr: gauge('mesh_telemetry_lost_total'), legend: node }],
      },
      {
        title: 'The Collector’s queue',
        description: 'Full it refuses spans, and the nodes keep and then lose them. It fills while Jaeger is away.',
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
        title: 'What Jaeger keeps',
        description:
          'Bytes of badger on its volume: a week of spans. Where it still grows after a week, the mesh tells more.',
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
