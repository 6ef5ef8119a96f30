import { approximateIncrease, byNode, during, indent, recorded, runningNodes } from './promql.ts'
import { type AlertDeclaration, censuses, counter, firesFor, gauge, refusedSpans, spansAtDoor, up } from './spec.ts'

const [lastCensus, lastStop] = [recorded('node:last_census:timestamp'), recorded('node:last_stop:timestamp')]

/** Holds an alert back for nodes whose spans may not all be counted, unless it fired before. */
function unlessIncomplete(alert: string): string {
  return `unless on (${byNode}) (
  (
${indent(indent(during('pipeline:incomplete:bool', lastCensus)))}
  )
  unless on (${byNode}) ALERTS{alertname="${alert}",alertstate="firing"}
)`
}

/** Series of the targets of the Collector of one mesh. */
function ofMesh(mesh: string, series: Readonly<Record<string, string>>): Record<string, string> {
  const named = (name: string) => name.replace(/collector:/, `${mesh}:`).replace('}', `,mesh_id="${mesh}"}`)
  return Object.fromEntries(Object.entries(series).map(([name, values]) => [named(name), values]))
}

/** Series of another Collector. */
function ofInstance(instance: string, series: Readonly<Record<string, string>>): Record<string, string> {
  const named = (name: string) => name.replace(/instance="[^"]+"/, `instance="${instance}"`)
  return Object.fromEntries(Object.entries(series).map(([name, values]) => [named(name), values]))
}

const [censusCounter, sweepSpans, sweeps] = [
  counter('mesh.audit'),
  counter('mesh.staleness.pruned'),
  gauge('mesh_sweeps_total'),
]

/** Alerts about nodes that no longer sweep, or no longer emit spans. */
export const silenceAlerts = {
  MeshPrunerSilent: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} runs but does not sweep its members',
    severity: 'warning',
    basis: 'silence',
    expr: (d) => {
      const window = d('2m', '90s')
      const counts = recorded('node:censuses:increase2m')
      // A single census shows no increase. Nodes of the previous version have no count, only spans.
      return `(
  ${counts} > 1.5
  and max by (${byNode}) (increase(mesh_sweeps_total[${window}])) == 0
  or ${counts} > 0
    unless max by (${byNode}) (mesh_sweeps_total)
    unless ${approximateIncrease('mesh.staleness.pruned', window)} > 0
)
${unlessIncomplete('MeshPrunerSilent')}`
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
      'the Collector ends after the first censuses of a node': {
        series: { [censusCounter]: '_x3 0 2x3 stale', [sweeps]: '_x3 6x4 stale', [up]: '1+0x7 0+0x60' },
        checks: { '1m30s': [], '2m20s': [], '3m': [] },
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
    severity: 'critical',
    basis: 'silence',
    // A stop is counted with the last census or after it, and is visible for longer. What is silent already stays so while the pipeline is incomplete.
    expr: () => `(
  ${lastCensus} > 0
  unless ${runningNodes}
)
unless (
  ${lastStop} >= ${lastCensus}
)
${unlessIncomplete('MeshNodeSilent')}`,
    // After a refusal a node sends again within 15 s, which takes two flushes, a scrape and an evaluation to be seen.
    forTime: '1m',
    forAtLeast: '50s',
    meaning:
      'A node that sent spans within the last hour has sent none for two minutes, and its last span was not mesh.node.stopped. While the Collector refuses spans, and for two minutes after an outage of it, which every node takes to connect again at most, no further node counts as silent. The alert ends when spans arrive again, or an hour after the last one.',
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
      'ordered stop, new start ten seconds later, and a kill after its first census': {
        series: {
          [censusCounter]: `${censuses(60)} 20x4 21+0x90`,
          [counter('mesh.node.stopped')]: '_x59 0 1+0x95',
        },
        checks: { '12m30s': [], '15m': firesFor('n1') },
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
      'a refusal of five minutes: a live node is heard again after it, one that died meanwhile fires': {
        series: {
          [censusCounter]: `${censuses(24)} 7+0x32 ${censuses(60, 1, 17)}`,
          [counter('mesh.audit', 'n2')]: `${censuses(24)} 7+0x32 9+0x60`,
          ...refusedSpans('0+0x24 5+5x29 150+0x60', 116),
          [up]: '1+0x116',
        },
        checks: { '7m': [], '9m': [], '10m': [], '12m': [], '13m30s': firesFor('n2') },
      },
      'each mesh has its own Collector, one of which refuses: nodes of the other fire': {
        series: {
          [censusCounter]: `${censuses(24)} 7+0x90`,
          [censusCounter.replace('mesh_id="a"', 'mesh_id="b"')]: `${censuses(24)} 7+0x90`,
          ...ofMesh('a', refusedSpans('0+0x26 5+5x88', 114)),
          ...ofMesh('b', refusedSpans('0+0x114', 114)),
          ...ofMesh('a', { [up]: '1+0x114' }),
          ...ofMesh('b', { [up]: '1+0x114' }),
        },
        checks: { '6m': [], '8m': [{ labels: { mesh_id: 'b', mesh_node_name: 'n1' } }] },
      },
      'spans wait at the door of the Collector for five minutes: a live node is heard again': {
        series: {
          [censusCounter]: `${censuses(24)} 7+0x32 ${censuses(60, 1, 17)}`,
          ...spansAtDoor('0+0x24 40+5x29 0+0x60', '0+10x24 240+0x29 600+10x60', 116),
          [up]: '1+0x116',
        },
        checks: { '7m': [], '9m': [], '10m': [], '12m': [], '15m': [] },
      },
      'the Collector starts while the queue of Jaeger is full: its door has a few spans and no count of those that it sent':
        {
          series: {
            [censusCounter]: `${censuses(24)} 7+0x32 ${censuses(60, 1, 17)}`,
            ...spansAtDoor('0+0x24 40+5x29 0+0x60', '0+10x24 stale _x28 0+10x60', 116),
            [up]: '1+0x116',
          },
          checks: { '7m': [], '9m': [], '10m': [], '12m': [], '15m': [] },
        },
      'spans wait at the door of one of two Collectors': {
        series: {
          [censusCounter]: `${censuses(24)} 7+0x32 ${censuses(60, 1, 17)}`,
          ...spansAtDoor('0+0x24 40+5x29 0+0x60', '0+10x24 240+0x29 600+10x60', 116),
          ...ofInstance('other:8888', spansAtDoor('0+0x116', '0+500x116', 116)),
          [up]: '1+0x116',
        },
        checks: { '7m': [], '9m': [], '10m': [], '12m': [], '15m': [] },
      },
      'a node that dies while the door has spans under way': {
        series: {
          [censusCounter]: `${censuses(24)} 7+0x90`,
          ...spansAtDoor('40+0x114', '0+500x114', 114),
          [up]: '1+0x114',
        },
        checks: { '7m': firesFor('n1') },
      },
      'a node that fell silent before the refusal fires through it': {
        series: {
          [censusCounter]: `${censuses(24)} 7+0x90`,
          ...refusedSpans('0+0x48 5+5x20 105+0x45', 114),
          [up]: '1+0x114',
        },
        checks: { '6m': [], '7m': firesFor('n1'), '10m': firesFor('n1'), '12m': firesFor('n1') },
      },
      'a node that died just before the refusal fires when it has ended': {
        series: {
          [censusCounter]: `${censuses(24)} 7+0x90`,
          ...refusedSpans('0+0x26 5+5x28 145+0x60', 114),
          [up]: '1+0x114',
        },
        checks: { '8m': [], '9m': [], '10m40s': firesFor('n1') },
      },
      'the Collector is down for five minutes: a live node is heard again, one that died meanwhile fires': {
        series: {
          [censusCounter]: `${censuses(24)} stale _x30 0 ${censuses(60, 1, 10)}`,
          [counter('mesh.audit', 'n2')]: `${censuses(24)} stale`,
          [up]: '1+0x23 0+0x29 1+0x62',
        },
        checks: { '7m': [], '9m': [], '10m': [], '11m30s': [], '12m30s': firesFor('n2') },
      },
      'the pod of the Collector has no address for five minutes: a live node is heard again, one that died meanwhile fires':
        {
          series: {
            [censusCounter]: `${censuses(24)} stale _x30 0 ${censuses(60, 1, 10)}`,
            [counter('mesh.audit', 'n2')]: `${censuses(24)} stale`,
            [up]: '1+0x23 stale _x28 1+0x62',
          },
          checks: { '7m': [], '9m': [], '10m': [], '11m20s': [], '12m30s': firesFor('n2') },
        },
      'a scrape a minute is late or missing: a killed node fires': {
        series: { [censusCounter]: `${censuses(60)} 20+0x30`, [up]: '1+0x58 _ 1+0x10 _ 1+0x40' },
        checks: { '11m50s': [], '13m': firesFor('n1') },
      },
      'ordered stop': {
        series: { [censusCounter]: `${censuses(60)} 20+0x420`, [counter('mesh.node.stopped')]: '_x60 0 1+0x420' },
        checks: { '13m': [], '30m': [], '65m': [], '71m': [] },
      },
    },
  },
} as const satisfies Record<string, AlertDeclaration>
