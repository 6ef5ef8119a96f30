import { ofCollector } from './alerts/promql.ts'
import type { NodeCountedSpan } from './span-counts.ts'
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

function spanCounter(span: NodeCountedSpan): string {
  return `traces_span_metrics_calls_total{span_name="${span}",${selector}}`
}

/** Spans per second and node, for frequent spans. */
function rate(span: NodeCountedSpan, by = byNode): string {
  return `sum by (${by}) (rate(${spanCounter(span)}[$__rate_interval]))`
}

/**
 * Spans within a window, for rare spans. Unlike `increase()` it counts a counter that starts above zero. A counter that
 * a scrape within the window missed begins at 0: it is new, or begins again after a restart of the Collector.
 */
function spanIncrease(span: NodeCountedSpan, by = byNode, window = '$__rate_interval'): string {
  const counter = spanCounter(span)
  const now = `last_over_time(${counter}[${window}])`
  const scrapes = `sum_over_time(up{job="mesh-spans"}[${window}])`
  const missed = `count_over_time(${counter}[${window}]) < on (instance) group_left () ${scrapes}`
  const before = `last_over_time(${counter}[1h] offset ${window}) unless (${missed})`
  return `sum by (${by}) (${now} - ((${before}) or 0 * ${now}))`
}

function gauge(metric: string): string {
  return `max by (${byNode}) (${metric}{${selector}})`
}

function stat(title: string, description: string, expr: string, more: Partial<BoardPanel> = {}): BoardPanel {
  const queries = [{ expr: `${expr} or vector(0)`, legend: title }]
  return { title, description, kind: 'stat', columns: 4, queries, ...more }
}

function events(title: string, description: string, span: NodeCountedSpan): BoardPanel {
  return { title, description, kind: 'bars', search: span, queries: [{ expr: spanIncrease(span), legend: node }] }
}

/** `queries`: expressions by their legends, or the only one, whose series are nodes. */
function lines(
  title: string,
  description: string,
  queries: string | Readonly<Record<string, string>>,
  more: Partial<BoardPanel> = {},
): BoardPanel {
  const byLegend = typeof queries === 'string' ? { [node]: queries } : queries
  const all = Object.entries(byLegend).map(([legend, expr]) => ({ legend, expr }))
  return { title, description, kind: 'lines', queries: all, ...more }
}

const inRange = (span: NodeCountedSpan) => `sum(${spanIncrease(span, byNode, '$__range')})`
const hour = (span: NodeCountedSpan) => spanIncrease(span, byNode, '1h')
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
      stat('Alerts firing', 'Normal: 0.', 'count(ALERTS{alertstate="firing",severity!="none",mesh_id=~"$mesh|"})', {
        badFrom: 1,
      }),
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
        queries: [{ expr: 'ALERTS{severity!="none",mesh_id=~"$mesh|"}', legend: '{{alertname}}' }],
      },
    ],
  },
  {
    title: 'Links',
    panels: [
      lines(
        'Opened and closed, per minute',
        'Closed connections are drawn downwards: over time both halves are equal.',
        {
          '{{mesh_id}} opened': `60 * ${rate('mesh.connection.opened', 'mesh_id')}`,
          '{{mesh_id}} closed': `-60 * ${rate('mesh.connection.closed', 'mesh_id')}`,
        },
        { search: 'mesh.connection.closed' },
      ),
      lines(
        'Opened less closed, last hour',
        '0 in a stable mesh; for an hour after a start, its links. A rising line is a leak.',
        `${hour('mesh.connection.opened')} - (${hour('mesh.connection.closed')} or 0 * ${hour('mesh.connection.opened')})`,
        { search: 'mesh.connection.opened', badFrom: 10 },
      ),
      lines(
        'Connections, and links among them',
        'Connections without a link are guests, or still opening. A growing gap is a leak.',
        { [`${node} connections`]: gauge('mesh_connections'), [`${node} links`]: gauge('mesh_links') },
        { search: 'mesh.audit' },
      ),
    ],
  },
  {
    title: 'Seeds',
    panels: [
      events('Retries', 'Failed attempts that are followed by another.', 'mesh.seed.retry'),
      events('Give-ups', 'Ten consecutive failures. Normal: none.', 'mesh.seed.giveup'),
      lines(
        'Attempts, 95th percentile',
        'Duration of failed attempts and of opened connections. An attempt ends after 10 s.',
        { 'failed attempt': quantile('mesh.seed.retry'), 'connection opened': quantile('mesh.connection.opened') },
        { unit: 'ms' },
      ),
    ],
  },
  {
    title: 'Members',
    panels: [
      lines('Members known', 'All nodes of a mesh know the same number, except for seconds.', gauge('mesh_members'), {
        search: 'mesh.audit',
      }),
      events('Expired', 'Members pruned for their silence, by pruning node.', 'mesh.member.expired'),
      lines(
        'Sweeps per minute',
        'Normal: twelve per node. A node with fewer sweeps stalls; one without sweeps never prunes.',
        `60 * max by (${byNode}) (rate(mesh_sweeps_total{${selector}}[5m]))`,
        { search: 'mesh.audit' },
      ),
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
      lines(
        'Fill',
        'Size relative to the bound, fullest node. At 100 % the registry evicts and reports it.',
        {
          // Only the sampled span of a registry has its bound, which the nodes of a role share.
          '{{mesh_id}} {{mesh_registry}}': `max by (mesh_id, mesh_registry) (mesh_registry_size{${selector}} / on (mesh_id, mesh_node_role, mesh_registry) group_left () max by (mesh_id, mesh_node_role, mesh_registry) (last_over_time(mesh_registry_capacity{mesh_id=~"$mesh"}[1d])))`,
        },
        { unit: 'percentunit', badFrom: 0.9, search: 'mesh.limit.reached' },
      ),
      events('Limits reached', 'A node refused, evicted or closed something.', 'mesh.limit.reached'),
    ],
  },
  {
    title: 'Processes',
    panels: [
      lines('Resident memory', 'Per node, from its census.', gauge('mesh_process_resident_memory_bytes'), {
        unit: 'bytes',
        search: 'mesh.audit',
      }),
      lines(
        'CPU',
        'CPU seconds per second and node: 1 is one core.',
        `max by (${byNode}) (rate(mesh_process_cpu_seconds_total{${selector}}[5m]) or mesh_process_cpu_ratio{${selector}})`,
        { unit: 'percentunit', search: 'mesh.audit' },
      ),
      events('Stalls', 'The process was stopped, starved, or throttled by its CPU limit.', 'mesh.node.stalled'),
    ],
  },
  {
    title: 'Telemetry',
    panels: [
      lines('Spans per second', 'By the counters of the Collector.', {
        '{{mesh_id}}': 'sum by (mesh_id) (rate(traces_span_metrics_calls_total{mesh_id=~"$mesh"}[$__rate_interval]))',
      }),
      lines(
        'Spans lost',
        'Since the start of each process. Normal: 0; each step has a span with the place of the loss.',
        gauge('mesh_telemetry_lost_total'),
        { search: 'mesh.telemetry.lost' },
      ),
      lines(
        'The Collector’s queue',
        'A full queue refuses spans; nodes then queue and finally lose them. It fills while Jaeger is down.',
        {
          '{{exporter}}': `max by (exporter) (${ofCollector('otelcol_exporter_queue_size')} / ${ofCollector('otelcol_exporter_queue_capacity')})`,
        },
        { unit: 'percentunit', badFrom: 0.5 },
      ),
      lines(
        'Jaeger’s storage',
        'Bytes of badger on its volume: a week of spans. Growth after a week means more spans.',
        { Jaeger: 'sum(jaeger_storage_badger_size_bytes_lsm) + sum(jaeger_storage_badger_size_bytes_vlog)' },
        { unit: 'bytes' },
      ),
    ],
  },
]
