import { counter, firesFor, firesForMesh, gauge, up } from './alert-case.ts'
import { byNode, guardedIncrease, indent, parenthesized } from './alert-promql.ts'
import type { AlertSpec } from './alert-spec.ts'

/** Alerts about members that fell silent, a few or many at once. */
export const memberAlerts = {
  MeshPrunedRate: {
    summary:
      '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has expired {{ printf "%.0f" $value }} members in 15 min',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: (d) => `${parenthesized(guardedIncrease('mesh.member.expired', d('15m'), d('30m')))} > 3`,
    meaning:
      'One node expired more than three members within 15 minutes, the Collector there all the while. Members that say goodbye are not counted, only those that fell silent.',
    cure: 'See who expires whom. The same few again and again: those crash, or their network does (compare mesh.node.incarnation). Many different ones, told by one node: that node’s own network. mesh.member.silence_ms says how long each was silent.',
    search: { span: 'mesh.member.expired' },
    emitDelay: '6s',
    cases: [
      {
        title: 'four expired',
        series: { [counter('mesh.member.expired')]: '0+0x5 4+0x120', [up]: '1+0x126' },
        checks: [
          { at: '50s', fires: [] },
          { at: '1m10s', fires: firesFor('n1', 4) },
          { at: '18m', fires: [] },
        ],
      },
      {
        title: 'three expired, and more long before',
        series: { [counter('mesh.member.expired')]: '0+0x5 3+0x100 6+0x60', [up]: '1+0x170' },
        checks: [
          { at: '1m10s', fires: [] },
          { at: '18m', fires: [] },
        ],
      },
      {
        title: 'five expired in the hours for which Prometheus was away',
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
        title: 'told many times over to a Collector that refuses',
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
${indent(parenthesized(guardedIncrease('mesh.member.expired', d('2m'), d('5m', '2m'))))}
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
    emitDelay: '31s',
    cases: [
      {
        title: 'three of five members at once',
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
        title: 'three of forty members at once',
        series: {
          [counter('mesh.member.expired')]: '0+0x5 3+0x90',
          [gauge('mesh_members')]: '40+0x5 37+0x90',
          [up]: '1+0x96',
        },
        checks: [{ at: '1m10s', fires: [] }],
      },
      {
        title: 'three of five members, one every five minutes',
        series: {
          [counter('mesh.member.expired')]: '0+0x5 1+0x29 2+0x29 3+0x29',
          [gauge('mesh_members')]: '5+0x96',
          [up]: '1+0x96',
        },
        checks: [{ at: '11m10s', fires: [] }],
      },
      {
        title: 'one that crashes every 16 s and joins under a new identity each time',
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
        title: 'three of nine, an hour apart each, told at once by a Collector that is back',
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
} as const satisfies Record<string, AlertSpec>
