import { spansCountedBy } from '../span-counts.ts'
import { indent, jobs } from './promql.ts'
import { type AlertDeclaration, counter, ofNodes } from './spec.ts'

/**
 * Sample limit of a scrape of the span metrics, as in `otel/prometheus.yml`: beyond it the scrape fails. It holds the
 * gauges of 2,000 nodes, 21 each, and nine tenths of the series that a mesh of as many may have of both counters.
 */
export const sampleLimit = 120_000

/** Selectors of the series that a limit bounds, by the group that has it. */
const trouble = spansCountedBy('trouble').join('|')
const seriesByNode = [
  { group: 'node', labels: `mesh_node_name!="",span_name!~"${trouble}"` },
  { group: 'trouble', labels: `mesh_node_name!="",span_name=~"${trouble}"` },
]

/** Of spans without a node: foreign Collectors in the same Prometheus have no mesh. */
const byMesh = 'mesh_id!="",mesh_node_name="",otel_metric_overflow=""'

function countOf(group: string, labels: string): string {
  return `label_replace(count by (mesh_id, instance) (traces_span_metrics_calls_total{${labels}}), "mesh_series", "${group}", "", "")`
}

/** Divides counts of series by the limit of their mesh in their Collector. */
function perLimit(counts: string, limit: string): string {
  return `${counts} / on (mesh_id, instance) group_left () max by (mesh_id, instance) (${limit})`
}

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `n${index + 1}`)
}

/** Alerts about the number of series. */
export const seriesAlerts = {
  MeshCardinalityOverflow: {
    summary:
      'The span metrics reach their limit on series: beyond it no alert fires for new nodes, or Prometheus rejects all',
    severity: 'critical',
    basis: 'numbers',
    per: 'part',
    about: 'pipeline',
    expr: () => `max by (mesh_id, mesh_series) (${perLimit(
      `(
${indent(seriesByNode.map(({ group, labels }) => countOf(group, labels)).join('\nor '))}
)`,
      'mesh_series_limit',
    )}) > 0.8
or max by (mesh_id, mesh_series) (${perLimit(countOf('mesh', byMesh), 'mesh_series_limit_by_mesh')}) > 0.8
or count by (mesh_id, mesh_series) (traces_span_metrics_calls_total{otel_metric_overflow="true",mesh_id!=""})
or scrape_samples_scraped{job="${jobs.spans}"} > ${0.8 * sampleLimit}`,
    meaning: `A mesh has 80 % of the series that the Collector allows it: of CALLS_LIMIT for spans that every node emits (mesh_series is node) or of failures and warnings (trouble); or of the 1,000 for all other spans, by mesh (mesh). Beyond the limit it counts new nodes together under otel_metric_overflow, where no rule sees them: the alert fires for these series, too. Or one scrape has more than 80 % of the ${sampleLimit.toLocaleString('en')} samples that Prometheus accepts.`,
    cure: 'Count by mesh_node_name to see the nodes. Usually they have a new name at every start: set MESH_NAME to a stable name, or keep their keys (MESH_IDENTITY). Many nodes: set CALLS_LIMIT to 20 for each node of the mesh, and give Collector and Prometheus the memory of the table in docs/operating.md. mesh_series mesh: count by span_name; something other than a node of this version sends spans named mesh.*. Old names expire after two hours without spans (failures and warnings: SERIES_EXPIRATION), or with a restart of the Collector.',
    search: 'pipeline',
    emitDelay: '5s',
    cases: {
      'four fifths of the limit': {
        series: {
          'mesh_series_limit{mesh_id="a",instance="collector:8889"}': '10+0x66',
          ...ofNodes(names(8), (node) => counter('mesh.audit', node), '1+1x66'),
          [counter('mesh.audit', 'n9')]: '_x6 1+1x60',
        },
        checks: { '50s': [], '1m30s': [{ labels: { mesh_id: 'a', mesh_series: 'node' } }] },
      },
      'failures of many nodes': {
        series: {
          'mesh_series_limit{mesh_id="a",instance="collector:8889"}': '10+0x66',
          ...ofNodes(names(9), (node) => counter('mesh.member.expired', node), '_x6 1+0x60'),
        },
        checks: { '50s': [], '1m30s': [{ labels: { mesh_id: 'a', mesh_series: 'trouble' } }] },
      },
      'names of spans that no version of a node has, counted by mesh': {
        series: {
          'mesh_series_limit{mesh_id="a",instance="collector:8889"}': '100+0x66',
          'mesh_series_limit_by_mesh{mesh_id="a",instance="collector:8889"}': '10+0x66',
          ...Object.fromEntries(
            names(9).map((name) => [
              `traces_span_metrics_calls_total{span_name="mesh.${name}",mesh_id="a",instance="collector:8889"}`,
              '_x6 1+1x60',
            ]),
          ),
        },
        checks: { '50s': [], '1m30s': [{ labels: { mesh_id: 'a', mesh_series: 'mesh' } }] },
      },
      'the Collector of someone else is beyond its limit': {
        series: { 'traces_span_metrics_calls_total{otel_metric_overflow="true",service_name="shop"}': '1+1x66' },
        checks: { '5m': [] },
      },
      'both below their limit, and spans counted by mesh': {
        series: {
          'mesh_series_limit{mesh_id="a",instance="collector:8889"}': '10+0x66',
          'mesh_series_limit_by_mesh{mesh_id="a",instance="collector:8889"}': '4+0x66',
          ...ofNodes(names(8), (node) => counter('mesh.audit', node), '1+1x66'),
          ...ofNodes(names(8), (node) => counter('mesh.member.expired', node), '1+0x66'),
          ...Object.fromEntries(
            (['mesh.window', 'mesh.hello.received', 'mesh.member.joined'] as const).map((span) => [
              `traces_span_metrics_calls_total{span_name="${span}",mesh_id="a",instance="collector:8889"}`,
              '1+1x66',
            ]),
          ),
        },
        checks: { '5m': [] },
      },
      'a mesh is beyond the limit of the Collector': {
        series: {
          'traces_span_metrics_calls_total{otel_metric_overflow="true",mesh_id="a",mesh_series="node"}': '_x6 1+1x60',
        },
        checks: { '50s': [], '1m30s': [{ labels: { mesh_id: 'a', mesh_series: 'node' } }] },
      },
      'a scrape beyond 80 % of the sample limit': {
        series: {
          'scrape_samples_scraped{job="mesh-spans",instance="collector:8889"}': `${0.7 * sampleLimit}+0x5 ${0.81 * sampleLimit}+0x30`,
        },
        checks: { '50s': [], '1m30s': [{ labels: { job: 'mesh-spans', instance: 'collector:8889' } }] },
      },
    },
  },
} as const satisfies Record<string, AlertDeclaration>
