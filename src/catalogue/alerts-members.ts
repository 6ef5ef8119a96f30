import { counter, firesFor, firesForMesh, gauge, up } from './alert-case.ts'
import type { Durations } from './alert-durations.ts'
import { byNode, calls, indent, inner, jobs, often, pace, sweeping } from './alert-promql.ts'
import type { AlertSpec } from './alert-spec.ts'

/** When each node was last seen to sweep, and to say that it stops: seconds of Unix time, 0 for never. */
function lastTime(what: string, d: Durations): string {
  return `max_over_time((
  time() * (${what} > bool 0)
)[${d('1h', '3m')}:30s])`
}

const lastSweep = (d: Durations) => lastTime(often('mesh.staleness.pruned', d('1m', '1m')), d)

/**
 * Of a counter whose series may end right after it rose: with the Collector, say. Where the past has no sample since nothing
 * was scraped then, it is what it was last: an old stop is not a new one.
 */
function lastStop(d: Durations): string {
  const [stopped, before] = [calls('mesh.node.stopped'), d('1m', '1m')]
  const lately = `last_over_time(${stopped}[${before}])`
  const unseen = `last_over_time(${stopped}[${d('1h')}] offset ${before}) unless on () up{job="${jobs.spans}"} offset ${before} == 1`
  const rose = `${lately} - (${stopped} offset ${before} or (${unseen}) or 0 * ${lately})`
  return lastTime(`sum by (${byNode}) (${rose})`, d)
}

const swept = counter('mesh.staleness.pruned')

/** Alerts about who is in the mesh, who is gone, and who watches over that. */
export const memberAlerts = {
  MeshPrunedRate: {
    summary:
      '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has expired {{ printf "%.0f" $value }} members in 15 min',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: (d) => `${inner(pace('mesh.member.expired', d('15m'), d('30m')))} > 3`,
    meaning:
      'One node expired more than three members within 15 minutes, the Collector there all the while. Members that say goodbye are not counted, only those that fell silent.',
    cure: 'See who expires whom. The same few again and again: those crash, or their network does (compare mesh.node.incarnation). Many different ones, told by one node: that node’s own network. mesh.member.silence_ms says how long each was silent.',
    search: { span: 'mesh.member.expired' },
    told: '6s',
    cases: [
      {
        says: 'four expired',
        series: { [counter('mesh.member.expired')]: '0+0x5 4+0x120', [up]: '1+0x126' },
        checks: [
          { at: '50s', fires: [] },
          { at: '1m10s', fires: firesFor('n1', 4) },
          { at: '18m', fires: [] },
        ],
      },
      {
        says: 'three expired, and more long before',
        series: { [counter('mesh.member.expired')]: '0+0x5 3+0x100 6+0x60', [up]: '1+0x170' },
        checks: [
          { at: '1m10s', fires: [] },
          { at: '18m', fires: [] },
        ],
      },
      {
        says: 'five expired in the hours for which Prometheus was away',
        series: {
          [counter('mesh.member.expired')]: '1+0x60 stale _x119 6+0x120',
          [up]: '1+0x60 stale _x119 1+0x120',
        },
        checks: [
          { at: '31m', fires: [] },
          { at: '40m', fires: [] },
        ],
      },
      {
        says: 'told many times over to a Collector that refuses',
        series: {
          [counter('mesh.member.expired')]: '0+0x5 1+1x20 21+0x60',
          'otelcol_receiver_refused_spans_total{instance="collector:8888",job="collector",receiver="otlp"}':
            '0+0x2 10+10x20 200+0x60',
          'up{instance="collector:8888",job="collector"}': '1+0x90',
          [up]: '1+0x90',
        },
        checks: [
          { at: '3m', fires: [] },
          { at: '12m', fires: [] },
        ],
      },
    ],
  },
  MeshMembersExpiredInBulk: {
    summary: '{{ printf "%.0f" $value }} members of {{ $labels.mesh_id }} have expired at once',
    severity: 'page',
    per: 'mesh',
    about: 'mesh',
    // Whoever crashes and comes back under a new identity, again and again, leaves as many members as there were.
    expr: (d) => {
      const most = `max by (${byNode}) (max_over_time(mesh_members[${d('10m', '2m')}]))`
      return `max by (mesh_id) (
${indent(inner(pace('mesh.member.expired', d('2m'), d('5m', '2m'))))}
  >=
  clamp_min(0.25 * ${most}, 3)
  and
  ${most} - max by (${byNode}) (mesh_members) >= 3
)`
    },
    keepFiring: '5m',
    meaning:
      'Within two minutes one node expired at least three members, and a quarter of all it knew, and it knows three fewer than within the last ten minutes: machines, a network segment or a deployment went, not single nodes.',
    cure: 'See who tells it. All survivors name the same members: those are gone, look at their machines. Two groups name each other: the mesh is split, look at the network between them. One node names all others: it is the one cut off.',
    search: { span: 'mesh.member.expired' },
    told: '31s',
    cases: [
      {
        says: 'three of five members at once',
        series: {
          [counter('mesh.member.expired')]: '0+0x5 3+0x90',
          [gauge('mesh_members')]: '5+0x5 2+0x90',
          [up]: '1+0x96',
        },
        checks: [
          { at: '50s', fires: [] },
          { at: '1m10s', fires: firesForMesh(3) },
          { at: '9m', fires: [] },
        ],
      },
      {
        says: 'three of forty members at once',
        series: {
          [counter('mesh.member.expired')]: '0+0x5 3+0x90',
          [gauge('mesh_members')]: '40+0x5 37+0x90',
          [up]: '1+0x96',
        },
        checks: [{ at: '1m10s', fires: [] }],
      },
      {
        says: 'three of five members, one every five minutes',
        series: {
          [counter('mesh.member.expired')]: '0+0x5 1+0x29 2+0x29 3+0x29',
          [gauge('mesh_members')]: '5+0x96',
          [up]: '1+0x96',
        },
        checks: [{ at: '11m10s', fires: [] }],
      },
      {
        says: 'one that crashes every 16 s and joins under a new identity each time',
        series: {
          [counter('mesh.member.expired')]: '0+0x5 1+0.6x90',
          [gauge('mesh_members')]: '10+0x5 11 12 11 12 11 12 11 12 11 12 11 12 11+0x60',
          [up]: '1+0x96',
        },
        checks: [
          { at: '3m', fires: [] },
          { at: '6m', fires: [] },
        ],
      },
      {
        says: 'three of nine, an hour apart each, told at once by a Collector that is back',
        series: {
          [counter('mesh.member.expired')]: '0+0x12 stale _x46 0 3+0x60',
          [gauge('mesh_members')]: '9+0x12 stale _x46 9 6+0x60',
          [up]: '1+0x12 0+0x46 1+0x60',
        },
        checks: [
          { at: '10m10s', fires: [] },
          { at: '11m', fires: [] },
          { at: '13m', fires: [] },
        ],
      },
    ],
  },
  MeshPrunerSilent: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} runs and does not sweep its members',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: (d) => {
      const window = d('2m', '90s')
      return `${often('mesh.audit', window)} > 0
unless ${often('mesh.staleness.pruned', window)} > 0`
    },
    forTime: '1m',
    meaning:
      'A node tells its census and has told no sweep for two minutes; it tells one every 5 s, also when nobody is stale. Members that died stay in its view. With MESH_SWEEP_MS above 30 s the rule must be changed.',
    cure: 'Restart the node: its view is out of date and stays so. Keep its log and the traces of its last windows, since sweeping stops for no known reason.',
    search: { span: 'mesh.audit' },
    told: '20s',
    fills: (d) => [d('2m', '90s')],
    cases: [
      {
        says: 'the sweep stops, the census does not',
        series: { [counter('mesh.audit')]: '0+1x120', [swept]: '0+2x30 60+0x90' },
        checks: [
          { at: '7m', fires: [] },
          { at: '8m30s', fires: firesFor('n1') },
        ],
      },
      {
        says: 'it never swept',
        series: { [counter('mesh.audit')]: '0+1x60' },
        checks: [{ at: '2m30s', fires: firesFor('n1') }],
      },
      {
        says: 'a node that is gone neither sweeps nor counts',
        series: { [counter('mesh.audit')]: '0+1x30 30+0x90', [swept]: '0+2x30 60+0x90' },
        checks: [
          { at: '5m', fires: [] },
          { at: '8m30s', fires: [] },
          { at: '10m', fires: [] },
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
    // Who counts and does not sweep is not silent: MeshPrunerSilent, which this would inhibit.
    // Both times lag behind by the window they are seen in, the one more than the other.
    expr: (d) => `(
${indent(lastSweep(d))} > 0
  unless ${sweeping(d)}
  unless ${often('mesh.audit', d('2m', '90s'))} > 0
)
unless (
${indent(lastStop(d))}
  >=
${indent(lastSweep(d))} - 60
)`,
    // A Prometheus that was away sees two samples that differ within 40 s.
    forTime: '1m',
    meaning:
      'A node whose spans came within the last hour has told nothing for two minutes, and its last word was not mesh.node.stopped. It ends when the node is heard again, and an hour after its silence began, whether it came back or not.',
    cure: 'Is the process there? If not: its log and exit code, and the memory it had (137 is a kill for want of memory). If it runs: it hangs (SIGSTOP, CPU limit), or does not reach the Collector; then other nodes know it as a member still.',
    search: { span: 'mesh.window' },
    told: '0s',
    fills: (d) => [d('2m', '90s')],
    cases: [
      {
        says: 'killed; and the end after an hour',
        series: { [swept]: '0+2x60 120+0x420' },
        checks: [
          { at: '11m50s', fires: [] },
          { at: '13m', fires: firesFor('n1') },
          { at: '60m', fires: firesFor('n1') },
          { at: '75m', fires: [] },
        ],
      },
      {
        says: 'the sweep stops, the census goes on',
        series: { [swept]: '0+2x60 120+0x60', [counter('mesh.audit')]: '0+1x120' },
        checks: [{ at: '15m', fires: [] }],
      },
      {
        says: 'its series are gone with the Collector’s restart, and it did not come back',
        series: { [swept]: '0+2x60 stale', [counter('mesh.staleness.pruned', 'n2')]: '0+2x120' },
        checks: [{ at: '13m', fires: firesFor('n1') }],
      },
      {
        says: 'stopped in order, started again, killed later',
        series: { [swept]: '0+2x180 360+0x60', [counter('mesh.node.stopped')]: '_x60 0 1+0x180' },
        checks: [
          { at: '32m30s', fires: [] },
          { at: '34m', fires: firesFor('n1') },
        ],
      },
      {
        says: 'stopped in order, and the Collector with all its series gone before a minute was over',
        series: { [swept]: '0+2x60 120 120 stale', [counter('mesh.node.stopped')]: '_x60 0 1 1 stale' },
        checks: [
          { at: '13m', fires: [] },
          { at: '15m', fires: [] },
        ],
      },
      {
        says: 'stopped in order once, killed later, and a scrape fails',
        series: {
          [swept]: '0+2x180 360+0x31 stale 360+0x60',
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
        says: 'stopped in order',
        series: { [swept]: '0+2x60 120+0x420', [counter('mesh.node.stopped')]: '_x60 0 1+0x420' },
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
