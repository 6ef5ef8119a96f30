import { approximateIncrease, byNode, type Durations, indent, jobs, runningNodes, spanCounter } from './alert-promql.ts'
import { type AlertDeclaration, censuses, counter, firesFor, gauge, up } from './alert-spec.ts'

/** Unix time in seconds at which an expression was last above 0, by node; 0 for never. */
function lastTime(what: string, d: Durations): string {
  return `max_over_time((
  time() * (${what} > bool 0)
)[${d('1h', '3m')}:30s])`
}

const lastCensus = (d: Durations) => lastTime(approximateIncrease('mesh.audit', d('1m', '1m')), d)

/**
 * Time of the last ordered stop. The series may end right after its increase, for example with the Collector. If
 * nothing was scraped before, the last earlier value counts: an old stop must not count as a new one.
 */
function lastStop(d: Durations): string {
  const [stopped, window] = [spanCounter('mesh.node.stopped'), d('1m', '1m')]
  const latest = `last_over_time(${stopped}[${window}])`
  const unscraped = `last_over_time(${stopped}[${d('1h')}] offset ${window}) unless on () up{job="${jobs.spans}"} offset ${window} == 1`
  const increase = `${latest} - (${stopped} offset ${window} or (${unscraped}) or 0 * ${latest})`
  return lastTime(`sum by (${byNode}) (${increase})`, d)
}

const [censusCounter, sweepSpans, sweeps] = [
  counter('mesh.audit'),
  counter('mesh.staleness.pruned'),
  gauge('mesh_sweeps'),
]

/** Alerts about nodes that no longer sweep, or no longer emit spans. */
export const silenceAlerts = {
  MeshPrunerSilent: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} runs but does not sweep its members',
    severity: 'warn',
    expr: (d) => {
      const window = d('2m', '90s')
      const counts = approximateIncrease('mesh.audit', window)
      // A single census shows no increase. Nodes of the previous version have no count, only spans.
      return `${counts} > 1.5
and max by (${byNode}) (increase(mesh_sweeps[${window}])) == 0
or ${counts} > 0
  unless max by (${byNode}) (mesh_sweeps)
  unless ${approximateIncrease('mesh.staleness.pruned', window)} > 0`
    },
    forTime: '1m',
    meaning:
      'The censuses of a node arrive, but their count of sweeps (mesh.audit.sweeps) has not increased for two minutes; a node sweeps every 5 s. Dead members stay in its view. Change the rule if MESH_SWEEP_MS is above 60 s.',
    cure: 'Restart the node: its view stays stale. Save its log and the traces of its last windows, since no cause for this is known.',
    search: { span: 'mesh.audit' },
    emitDelay: '20s',
    windowDelays: (d) => [d('2m', '90s')],
    cases: {
      'sweeps stop, censuses continue': {
        series: { [censusCounter]: censuses(120), [sweeps]: `${censuses(30, 6)} 60+0x90` },
        checks: { '7m': [], '8m30s': firesFor('n1') },
      },
      'the node never sweeps': {
        series: { [censusCounter]: censuses(60), [sweeps]: '0+0x60' },
        checks: { '3m30s': firesFor('n1') },
      },
      'a node that exited: neither sweeps nor censuses': {
        series: { [censusCounter]: `${censuses(30)} 10+0x90`, [sweeps]: `${censuses(30, 6)} 60+0x90` },
        checks: { '5m': [], '8m30s': [], '10m': [] },
      },
      'sampling drops all sweep spans, the count of sweeps increases; a restart in between': {
        series: { [censusCounter]: censuses(90), [sweeps]: `_x2 ${censuses(42, 6, 6)} ${censuses(45, 6, 6)}` },
        checks: { '1m': [], '5m': [], '9m': [], '14m': [] },
      },
      'previous version: the sweep spans of one node end, those of another continue': {
        series: {
          [censusCounter]: censuses(120),
          [sweepSpans]: '0+2x30 60+0x90',
          [counter('mesh.audit', 'n2')]: censuses(120),
          [counter('mesh.staleness.pruned', 'n2')]: '0+2x120',
        },
        checks: { '5m': [], '8m30s': firesFor('n1') },
      },
    },
  },
  MeshNodeSilent: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} sends no more spans and did not stop in order',
    severity: 'page',
    // Both times lag by their windows, which differ.
    expr: (d) => `(
${indent(lastCensus(d))} > 0
  unless ${runningNodes(d)}
)
unless (
${indent(lastStop(d))}
  >=
${indent(lastCensus(d))} - 60
)`,
    // After an outage Prometheus has two differing samples within 40 s.
    forTime: '1m',
    meaning:
      'A node that sent spans within the last hour has sent none for two minutes, and its last span was not mesh.node.stopped. The alert ends when spans arrive again, or an hour after the last one.',
    cure: 'Check whether the process runs. If not: see its log, its exit code (137: out-of-memory kill) and its last memory use. If it runs: it hangs (SIGSTOP, CPU limit), or it cannot reach the Collector; then other nodes still list it as a member.',
    search: { span: 'mesh.audit' },
    emitDelay: '0s',
    windowDelays: (d) => [d('2m', '90s')],
    cases: {
      'a killed node, and the end after an hour': {
        series: { [censusCounter]: `${censuses(60)} 20+0x420` },
        checks: { '11m50s': [], '13m': firesFor('n1'), '60m': firesFor('n1'), '75m': [] },
      },
      'a running node whose sweep spans are all sampled out': {
        series: { [censusCounter]: censuses(120) },
        checks: { '15m': [] },
      },
      'a killed node whose series end with a restart of the Collector': {
        series: { [censusCounter]: `${censuses(60)} stale`, [counter('mesh.audit', 'n2')]: censuses(120) },
        checks: { '13m': firesFor('n1') },
      },
      'ordered stop, new start, later kill': {
        series: { [censusCounter]: `${censuses(180)} 60+0x60`, [counter('mesh.node.stopped')]: '_x60 0 1+0x180' },
        checks: { '32m30s': [], '34m': firesFor('n1') },
      },
      'ordered stop, and within a minute the series end with the Collector': {
        series: { [censusCounter]: `${censuses(60)} 20 20 stale`, [counter('mesh.node.stopped')]: '_x60 0 1 1 stale' },
        checks: { '13m': [], '15m': [] },
      },
      'ordered stop, later kill, and a failed scrape': {
        series: {
          [censusCounter]: `${censuses(180)} 60+0x31 stale 60+0x60`,
          [counter('mesh.node.stopped')]: '_x60 0 1+0x151 stale 1+0x60',
          [up]: '1+0x212 0 1+0x60',
        },
        checks: { '34m': firesFor('n1'), '36m30s': firesFor('n1'), '39m': firesFor('n1') },
      },
      'ordered stop': {
        series: { [censusCounter]: `${censuses(60)} 20+0x420`, [counter('mesh.node.stopped')]: '_x60 0 1+0x420' },
        checks: { '13m': [], '30m': [], '65m': [], '71m': [] },
      },
    },
  },
} as const satisfies Record<string, AlertDeclaration>
