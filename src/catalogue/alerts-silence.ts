import { censuses, counter, firesFor, gauge, up } from './alert-case.ts'
import type { Durations } from './alert-durations.ts'
import { approximateIncrease, byNode, indent, jobs, runningNodes, spanCounter } from './alert-promql.ts'
import type { AlertSpec } from './alert-spec.ts'

/** When each node was last seen to count, and to say that it stops: seconds of Unix time, 0 for never. */
function lastTime(what: string, d: Durations): string {
  return `max_over_time((
  time() * (${what} > bool 0)
)[${d('1h', '3m')}:30s])`
}

const lastCensus = (d: Durations) => lastTime(approximateIncrease('mesh.audit', d('1m', '1m')), d)

/**
 * Of a counter whose series may end right after it rose: with the Collector, say. Where the past has no sample since nothing
 * was scraped then, it is what it was last: an old stop is not a new one.
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

/** Alerts about nodes that do not sweep any more, or say nothing. */
export const silenceAlerts = {
  MeshPrunerSilent: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} runs and does not sweep its members',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: (d) => {
      const window = d('2m', '90s')
      const counts = approximateIncrease('mesh.audit', window)
      // One census alone says nothing of whether the count rises. Nodes of the version before have no count, only spans.
      return `${counts} > 1.5
and max by (${byNode}) (increase(mesh_sweeps[${window}])) == 0
or ${counts} > 0
  unless max by (${byNode}) (mesh_sweeps)
  unless ${approximateIncrease('mesh.staleness.pruned', window)} > 0`
    },
    forTime: '1m',
    meaning:
      'The censuses of a node come, and the sweeps that they count (mesh.audit.sweeps) have not risen for two minutes; a node sweeps every 5 s. Members that died stay in its view. With MESH_SWEEP_MS above 60 s the rule must be changed.',
    cure: 'Restart the node: its view is out of date and stays so. Keep its log and the traces of its last windows, since sweeping stops for no known reason.',
    search: { span: 'mesh.audit' },
    emitDelay: '20s',
    windowDelays: (d) => [d('2m', '90s')],
    cases: [
      {
        title: 'the sweep stops, the census does not',
        series: { [censusCounter]: censuses(120), [sweeps]: `${censuses(30, 6)} 60+0x90` },
        checks: [
          { at: '7m', fires: [] },
          { at: '8m30s', fires: firesFor('n1') },
        ],
      },
      {
        title: 'it never swept',
        series: { [censusCounter]: censuses(60), [sweeps]: '0+0x60' },
        checks: [{ at: '3m30s', fires: firesFor('n1') }],
      },
      {
        title: 'a node that is gone neither sweeps nor counts',
        series: { [censusCounter]: `${censuses(30)} 10+0x90`, [sweeps]: `${censuses(30, 6)} 60+0x90` },
        checks: [
          { at: '5m', fires: [] },
          { at: '8m30s', fires: [] },
          { at: '10m', fires: [] },
        ],
      },
      {
        title: 'no sweep leaves the node, since it is routine, and the count of sweeps rises; a restart in between',
        series: { [censusCounter]: censuses(90), [sweeps]: `_x2 ${censuses(42, 6, 6)} ${censuses(45, 6, 6)}` },
        checks: [
          { at: '1m', fires: [] },
          { at: '5m', fires: [] },
          { at: '9m', fires: [] },
          { at: '14m', fires: [] },
        ],
      },
      {
        title: 'of the version before: the spans of sweeps end, and those of another node do not',
        series: {
          [censusCounter]: censuses(120),
          [sweepSpans]: '0+2x30 60+0x90',
          [counter('mesh.audit', 'n2')]: censuses(120),
          [counter('mesh.staleness.pruned', 'n2')]: '0+2x120',
        },
        checks: [
          { at: '5m', fires: [] },
          { at: '8m30s', fires: firesFor('n1') },
        ],
      },
    ],
  },
  MeshNodeSilent: {
    summary:
      '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} tells nothing any more, and did not say that it stops',
    severity: 'page',
    per: 'node',
    about: 'mesh',
    // Both times lag behind by the window they are seen in, the one more than the other.
    expr: (d) => `(
${indent(lastCensus(d))} > 0
  unless ${runningNodes(d)}
)
unless (
${indent(lastStop(d))}
  >=
${indent(lastCensus(d))} - 60
)`,
    // A Prometheus that was away sees two samples that differ within 40 s.
    forTime: '1m',
    meaning:
      'A node whose spans came within the last hour has told nothing for two minutes, and its last word was not mesh.node.stopped. It ends when the node is heard again, and an hour after its silence began, whether it came back or not.',
    cure: 'Is the process there? If not: its log and exit code, and the memory it had (137 is a kill for want of memory). If it runs: it hangs (SIGSTOP, CPU limit), or does not reach the Collector; then other nodes know it as a member still.',
    search: { span: 'mesh.audit' },
    emitDelay: '0s',
    windowDelays: (d) => [d('2m', '90s')],
    cases: [
      {
        title: 'killed; and the end after an hour',
        series: { [censusCounter]: `${censuses(60)} 20+0x420` },
        checks: [
          { at: '11m50s', fires: [] },
          { at: '13m', fires: firesFor('n1') },
          { at: '60m', fires: firesFor('n1') },
          { at: '75m', fires: [] },
        ],
      },
      {
        title: 'a node that goes on, and of whose sweeps none leaves',
        series: { [censusCounter]: censuses(120) },
        checks: [{ at: '15m', fires: [] }],
      },
      {
        title: 'its series are gone with the Collector’s restart, and it did not come back',
        series: { [censusCounter]: `${censuses(60)} stale`, [counter('mesh.audit', 'n2')]: censuses(120) },
        checks: [{ at: '13m', fires: firesFor('n1') }],
      },
      {
        title: 'stopped in order, started again, killed later',
        series: { [censusCounter]: `${censuses(180)} 60+0x60`, [counter('mesh.node.stopped')]: '_x60 0 1+0x180' },
        checks: [
          { at: '32m30s', fires: [] },
          { at: '34m', fires: firesFor('n1') },
        ],
      },
      {
        title: 'stopped in order, and the Collector with all its series gone before a minute was over',
        series: { [censusCounter]: `${censuses(60)} 20 20 stale`, [counter('mesh.node.stopped')]: '_x60 0 1 1 stale' },
        checks: [
          { at: '13m', fires: [] },
          { at: '15m', fires: [] },
        ],
      },
      {
        title: 'stopped in order once, killed later, and a scrape fails',
        series: {
          [censusCounter]: `${censuses(180)} 60+0x31 stale 60+0x60`,
          [counter('mesh.node.stopped')]: '_x60 0 1+0x151 stale 1+0x60',
          [up]: '1+0x212 0 1+0x60',
        },
        checks: [
          { at: '34m', fires: firesFor('n1') },
          { at: '36m30s', fires: firesFor('n1') },
          { at: '39m', fires: firesFor('n1') },
        ],
      },
      {
        title: 'stopped in order',
        series: { [censusCounter]: `${censuses(60)} 20+0x420`, [counter('mesh.node.stopped')]: '_x60 0 1+0x420' },
        checks: [
          { at: '13m', fires: [] },
          { at: '30m', fires: [] },
          { at: '65m', fires: [] },
          { at: '71m', fires: [] },
        ],
      },
    ],
  },
} as const satisfies Record<string, AlertSpec>
