import { byNode, indent, parenthesized, timelyIncrease } from './promql.ts'
import { type AlertDeclaration, counter, firesFor, firesForMesh, gauge, refusedSpans, spansAtDoor, up } from './spec.ts'

/** Alerts about expired members, a few or many at once. */
export const memberAlerts = {
  MeshPrunedRate: {
    summary:
      '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has expired {{ printf "%.0f" $value }} members in 15 min',
    severity: 'warning',
    basis: 'numbers',
    expr: (d) => `${parenthesized(timelyIncrease('mesh.member.expired', d('15m')))} > 3`,
    meaning:
      'One node expired more than three members within 15 minutes, in scrapes without arrears: what arrives late, after a refusal or an outage of more than a minute, does not count. A goodbye reaches every member, over the link or over gossip, and does not count: a roll-out, a scale-down or a restart in order does not fire.',
    cure: 'Compare which nodes expire which members. The same few members repeatedly: they crash, or their network fails (compare mesh.node.incarnation). Many different members, reported by one node: check the network of that node. mesh.member.silence_ms is the silence of each.',
    search: { span: 'mesh.member.expired' },
    emitDelay: '6s',
    cases: {
      'four expired': {
        series: { [counter('mesh.member.expired')]: '0+0x5 4+0x120', [up]: '1+0x126' },
        checks: { '50s': [], '1m10s': firesFor('n1', 4), '18m': [] },
      },
      'twenty leave with a goodbye, one of which was not heard, and two crash': {
        series: {
          [counter('mesh.member.left')]: '0+1x19 19+0x110',
          [counter('mesh.member.expired')]: '0+0x5 1+0x4 3+0x120',
          [up]: '1+0x130',
        },
        checks: { '2m': [], '5m': [], '15m': [] },
      },
      'five expired while spans waited at the door of the Collector, counted at once afterwards': {
        series: {
          [counter('mesh.member.expired')]: '0+0x37 5+0x90',
          ...spansAtDoor('0+0x6 40+50x29 0+0x92', '0+10x6 60+0x29 1500+10x92', 128),
          [up]: '1+0x128',
        },
        checks: { '7m10s': [], '9m': [], '12m': [] },
      },
      'five expired while the pod of the Collector had no address, counted at once afterwards': {
        series: {
          [counter('mesh.member.expired')]: '1+0x30 stale _x28 1 6+0x60',
          [up]: '1+0x30 stale _x28 1+0x61',
        },
        checks: { '10m20s': [], '12m': [], '15m': [] },
      },
      'three expired, more of them much earlier': {
        series: { [counter('mesh.member.expired')]: '0+0x5 3+0x100 6+0x60', [up]: '1+0x170' },
        checks: { '1m10s': [], '18m': [] },
      },
      'five expired while Prometheus was down': {
        series: {
          [counter('mesh.member.expired')]: '1+0x60 stale _x119 6+0x120',
          [up]: '1+0x60 stale _x119 1+0x120',
        },
        checks: { '31m': [], '40m': [] },
      },
      'four expired, and one refused batch meanwhile': {
        series: {
          [counter('mesh.member.expired')]: '0+0x5 2+0x5 4+0x120',
          ...refusedSpans('0+0x8 358+0x120', 130),
          [up]: '1+0x130',
        },
        checks: { '1m50s': [], '2m10s': firesFor('n1', 4) },
      },
      'five expired during a refusal of five minutes, counted at once after it; then four more': {
        series: {
          [counter('mesh.member.expired')]: '0+0x40 5+0x30 9+0x60',
          ...refusedSpans('0+0x6 5+5x30 155+0x90', 130),
          [up]: '1+0x130',
        },
        checks: { '7m10s': [], '9m': [], '11m50s': [], '12m30s': firesFor('n1', 4) },
      },
    },
  },
  MeshMembersExpiredInBulk: {
    summary: '{{ printf "%.0f" $value }} members of {{ $labels.mesh_id }} have expired at once',
    severity: 'critical',
    basis: 'numbers',
    per: 'mesh',
    // A node that crashes and returns with a new identity repeatedly leaves the number of members as it was.
    expr: (d) => {
      const most = `max by (${byNode}) (max_over_time(mesh_members[${d('10m', '2m')}]))`
      return `max by (mesh_id) (
${indent(parenthesized(timelyIncrease('mesh.member.expired', d('2m'))))}
  >=
  clamp_min(0.25 * ${most}, 3)
  and
  ${most} - max by (${byNode}) (mesh_members) >= 3
)`
    },
    keepFiring: '5m',
    meaning:
      'Within two minutes one node expired at least three members and a quarter of all it knew, and it knows at least three fewer than its maximum of the last ten minutes: machines, a network segment or a deployment failed, not single nodes. Members that leave with a goodbye do not count, however many.',
    cure: 'Compare the nodes that report it. All survivors name the same members: check the machines of those. Two groups name each other: the mesh is partitioned, check the network between them. One node names all others: that node is isolated.',
    search: { span: 'mesh.member.expired' },
    emitDelay: '31s',
    cases: {
      'three of five members at once': {
        series: {
          [counter('mesh.member.expired')]: '0+0x5 3+0x90',
          [gauge('mesh_members')]: '5+0x5 2+0x90',
          [up]: '1+0x96',
        },
        checks: { '50s': [], '1m10s': firesForMesh(3), '9m': [] },
      },
      'three of five members at once, and one refused batch': {
        series: {
          [counter('mesh.member.expired')]: '0+0x5 3+0x90',
          [gauge('mesh_members')]: '5+0x5 2+0x90',
          ...refusedSpans('0+0x4 358+0x90', 96),
          [up]: '1+0x96',
        },
        checks: { '1m10s': firesForMesh(3) },
      },
      'three of nine, three minutes apart each, counted at once after a refusal of ten minutes': {
        series: {
          [counter('mesh.member.expired')]: '0+0x70 3+0x60',
          [gauge('mesh_members')]: '9+0x70 6+0x60',
          ...refusedSpans('0+0x6 5+5x60 305+0x60', 130),
          [up]: '1+0x130',
        },
        checks: { '12m': [], '13m': [], '15m': [] },
      },
      'six of ten leave with a goodbye': {
        series: {
          [counter('mesh.member.left')]: '0+0x5 6+0x90',
          [counter('mesh.member.expired')]: '0+0x95',
          [gauge('mesh_members')]: '10+0x5 4+0x90',
          [up]: '1+0x96',
        },
        checks: { '1m10s': [], '3m': [] },
      },
      'three of forty members at once': {
        series: {
          [counter('mesh.member.expired')]: '0+0x5 3+0x90',
          [gauge('mesh_members')]: '40+0x5 37+0x90',
          [up]: '1+0x96',
        },
        checks: { '1m10s': [] },
      },
      'three of five members, one every five minutes': {
        series: {
          [counter('mesh.member.expired')]: '0+0x5 1+0x29 2+0x29 3+0x29',
          [gauge('mesh_members')]: '5+0x96',
          [up]: '1+0x96',
        },
        checks: { '11m10s': [] },
      },
      'one node crashes every 16 s and joins with a new identity each time': {
        series: {
          [counter('mesh.member.expired')]: '0+0x5 1+0.6x90',
          [gauge('mesh_members')]: '10+0x5 11 12 11 12 11 12 11 12 11 12 11 12 11+0x60',
          [up]: '1+0x96',
        },
        checks: { '3m': [], '6m': [] },
      },
      'three of nine, an hour apart each, counted at once after an outage of the Collector': {
        series: {
          [counter('mesh.member.expired')]: '0+0x12 stale _x46 0 3+0x60',
          [gauge('mesh_members')]: '9+0x12 stale _x46 9 6+0x60',
          [up]: '1+0x12 0+0x46 1+0x60',
        },
        checks: { '10m10s': [], '11m': [], '13m': [] },
      },
    },
  },
} as const satisfies Record<string, AlertDeclaration>
