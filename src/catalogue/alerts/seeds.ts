import { parenthesized, recorded, runningNodes, spanIncrease } from './promql.ts'
import { type AlertDeclaration, censuses, counter, firesFor, firesForMesh, ofNodes, refusedSpans, up } from './spec.ts'

const retrying = recorded('node:seed_retries:increase1m')

const nodes = ['n1', 'n2', 'n3', 'n4']
const steady = censuses(90)

/** Counter of give-ups with a span kind label. */
const ofKind = (kind: string) => counter('mesh.seed.giveup').replace('}', `,span_kind="SPAN_KIND_${kind}"}`)

/** Alerts about seeds that are missing or do not answer. */
export const seedAlerts = {
  MeshSeedRetrying: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has been retrying a seed for minutes',
    severity: 'warning',
    basis: 'events',
    expr: () => `${retrying} > 0`,
    forTime: '2m',
    keepFiring: '6m',
    meaning:
      'A node had failed dials of a seed in every minute for two minutes. A seed that starts half a minute late does not fire: delays grow 1, 2, 4, 8, 16 s.',
    cure: 'Open the campaign: mesh.dial.stage is the stage at which the attempts fail. resolve: check the name; dial: address, port, firewall, or the seed is down; handshake, identify: another service answers there. Start the seed, or correct MESH_SEEDS.',
    search: { span: 'mesh.seed.retry' },
    emitDelay: '1s',
    cases: {
      'a seed that never answers': {
        series: { [counter('mesh.seed.retry')]: '0+0.4x90', [up]: '1+0x90' },
        checks: { '2m': [], '2m30s': firesFor('n1'), '14m': firesFor('n1') },
      },
      'a seed that starts a minute late': {
        series: { [counter('mesh.seed.retry')]: '0 1 2 3 4 4 5 6+0x90', [up]: '1+0x97' },
        checks: { '2m': [], '2m10s': [], '5m': [] },
      },
    },
  },
  MeshSeedGiveup: {
    summary:
      '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has given up a seed ({{ printf "%.0f" $value }} in 5 min)',
    severity: 'critical',
    basis: 'events',
    expr: (d) => `${spanIncrease('mesh.seed.giveup', d('5m'), d)} > 0`,
    keepFiring: '10m',
    meaning:
      'Ten dials of a seed failed in a row. The first give-up fires like any other; an old one does not fire again after an outage of Prometheus or the loss of its database.',
    cure: 'Open the campaign: error.type and mesh.dial.stage of each attempt give its reason, mesh.seed.addresses the resolved addresses. Remove the cause; the node dials again by itself, every 30 s while it is alone, every 5 min otherwise.',
    search: { span: 'mesh.seed.giveup' },
    emitDelay: '1s',
    cases: {
      'the first give-up, and its end': {
        series: { [counter('mesh.seed.giveup')]: '_x20 1+0x200', [up]: '1+0x220' },
        jaeger: 'https://jaeger.example.org',
        checks: { '3m': [], '4m': firesFor('n1', 1), '30m': [] },
      },
      'a first give-up while the Collector refuses spans, and one that it refused until then': {
        series: {
          [counter('mesh.seed.giveup')]: '_x20 1+0x200',
          [counter('mesh.seed.giveup', 'n2')]: '_x36 1+0x184',
          ...refusedSpans('0+0x5 5+5x30 155+0x184', 220),
          [up]: '1+0x220',
        },
        checks: { '3m': [], '4m': firesFor('n1', 1), '6m30s': [...firesFor('n1', 1), ...firesFor('n2', 1)] },
      },
      '20 minutes without scrapes: the old give-up does not fire, the next one does': {
        series: {
          [counter('mesh.seed.giveup')]: '1+0x120 stale _x119 1+0x40 2+0x40',
          [up]: '1+0x120 stale _x119 1+0x81',
        },
        checks: { '19m': [], '41m': [], '46m': [], '48m': firesFor('n1', 1) },
      },
      '20 minutes with the Collector down: the old give-up does not fire': {
        series: {
          [counter('mesh.seed.giveup')]: '1+0x120 stale _x119 1+0x81',
          [up]: '1+0x120 0+0x119 1+0x81',
        },
        checks: { '41m': [], '46m': [] },
      },
      'an empty database: old give-ups do not fire, the next one does': {
        series: { [counter('mesh.seed.giveup')]: '_ _ _ 7+0x15 8+0x60', [up]: '_ 0 0 1+0x80' },
        checks: { '1m': [], '2m50s': [], '3m20s': firesFor('n1', 1) },
      },
      'a give-up while Prometheus was down': {
        series: { [counter('mesh.seed.giveup')]: '_x241 1+0x80', [up]: '1+0x120 stale _x119 1+0x81' },
        checks: { '40m': [], '41m': firesFor('n1', 1) },
      },
      'a counter that the Collector dropped restarts at 1': {
        series: { [counter('mesh.seed.giveup')]: '1+0x30 stale _x119 1+0x40', [up]: '1+0x200' },
        checks: { '25m': [], '26m': firesFor('n1', 1) },
      },
      'a give-up two minutes after the Collector dropped the counter of an old one': {
        series: { [counter('mesh.seed.giveup')]: '1+0x60 stale _x11 0 1+0x60', [up]: '1+0x140' },
        checks: { '12m': [], '12m40s': firesFor('n1', 1) },
      },
      'a restart of the Collector between an old give-up and the next one': {
        series: { [counter('mesh.seed.giveup')]: '1+0x60 stale _x5 1+0x60', [up]: '1+0x60 0 0 1+0x60' },
        checks: { '10m50s': [], '11m20s': firesFor('n1', 1) },
      },
      'an upgrade that changes the span kind: the old count does not fire, the next give-up does': {
        series: {
          [ofKind('INTERNAL')]: '3+0x30 stale',
          [ofKind('CLIENT')]: '_x60 0 1+0x60',
          [up]: '1+0x130',
        },
        checks: { '6m': [], '10m': [], '10m30s': firesFor('n1', 1) },
      },
      'a counter that restarted': {
        series: { [counter('mesh.seed.giveup')]: '3+0x120 0 1+0x60', [up]: '1+0x200' },
        checks: { '20m': [], '21m': firesFor('n1', 1) },
      },
    },
  },
  MeshRetryStorm: {
    summary: '{{ printf "%.0f" $value }} nodes of {{ $labels.mesh_id }} retry their seeds at once',
    severity: 'critical',
    basis: 'numbers',
    per: 'mesh',
    expr: () => `count by (mesh_id) (
  ${retrying} > 0
)
>=
clamp_min(0.5 * count by (mesh_id) (${runningNodes}), 3)`,
    forTime: '2m',
    // Nodes with links dial every five minutes: the alert must last between two campaigns.
    keepFiring: '6m',
    meaning:
      'At least three nodes, and half of all running ones, had failed dials in every minute for two minutes: a shared cause, not a single node.',
    cure: 'Find the common cause: one seed address in all campaigns (start that seed), stage resolve everywhere (name server), stage dial everywhere (network, firewall, or a wrong MESH_SEEDS). Delays grow and have jitter, so the seeds survive the storm.',
    search: { span: 'mesh.seed.retry' },
    emitDelay: '1s',
    cases: {
      'three of four nodes': {
        series: {
          ...ofNodes(nodes, (node) => counter('mesh.audit', node), steady),
          ...ofNodes(nodes.slice(1), (node) => counter('mesh.seed.retry', node), '0+0.4x90'),
          [up]: '1+0x90',
        },
        checks: { '2m': [], '2m30s': firesForMesh(3) },
      },
      'two of four nodes, and three of eight': {
        series: {
          ...ofNodes([...nodes, 'n5', 'n6', 'n7', 'n8'], (node) => counter('mesh.audit', node), steady),
          ...ofNodes(nodes.slice(1), (node) => counter('mesh.seed.retry', node), '0+0.4x90'),
          [up]: '1+0x90',
        },
        checks: { '5m': [] },
      },
    },
  },
  MeshNodeAlone: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} runs without any link',
    severity: 'critical',
    basis: 'numbers',
    expr: () => `max by (mesh_id, mesh_node_name) (mesh_links) == 0
and ${parenthesized(runningNodes)}
and on (mesh_id) (count by (mesh_id) (${runningNodes}) > 1)`,
    forTime: '2m',
    meaning:
      'A running node had no link in any census for two minutes, while another node of its mesh was running. A mesh of one node does not fire.',
    cure: 'Its campaigns (mesh.seed.dial) show why it reaches no seed. If it reaches one and loses it again, see mesh.close.reason of mesh.connection.closed: foreign-mesh is a wrong MESH_ID, limit a full seed. A node without seeds has no campaigns: check the nodes that should dial it. A seed that is the node itself has none either: mesh.seed.self names it; add another node to MESH_SEEDS. Guests do not count as links.',
    // All spans: a node without seeds has no campaign, one whose seed closes the connection has no retry.
    search: 'node',
    emitDelay: '31s',
    cases: {
      'one of two nodes has no link': {
        series: {
          ...ofNodes(['n1', 'n2'], (node) => counter('mesh.audit', node), steady),
          'mesh_links{mesh_id="a",mesh_node_name="n1"}': '0+0x90',
          'mesh_links{mesh_id="a",mesh_node_name="n2"}': '1+0x90',
        },
        checks: { '1m50s': [], '2m30s': firesFor('n1') },
      },
      'the only node of its mesh': {
        series: {
          [counter('mesh.audit')]: steady,
          'mesh_links{mesh_id="a",mesh_node_name="n1"}': '0+0x90',
        },
        checks: { '10m': [] },
      },
      'a node that links within its first minute, and one that died without links': {
        series: {
          ...ofNodes(['n1', 'n2'], (node) => counter('mesh.audit', node), steady),
          [counter('mesh.audit', 'n3')]: '0x2 1x2 2+0x80',
          'mesh_links{mesh_id="a",mesh_node_name="n1"}': '0+0x5 1+0x80',
          'mesh_links{mesh_id="a",mesh_node_name="n2"}': '0+0x5 1+0x80',
          'mesh_links{mesh_id="a",mesh_node_name="n3"}': '1+0x6 0+0x80',
        },
        checks: { '2m30s': [], '4m': [] },
      },
    },
  },
} as const satisfies Record<string, AlertDeclaration>
