import { censuses, counter, firesFor, firesForMesh, ofNodes, up } from './alert-case.ts'
import type { Durations } from './alert-durations.ts'
import { indent, parenthesized, runningNodes, spanIncrease } from './alert-promql.ts'
import type { AlertSpec } from './alert-spec.ts'

/** A node without peers tries every 30 s, for 10 s each: a minute without a failure is the end of a campaign. */
const retrying = (d: Durations) => spanIncrease('mesh.seed.retry', d('1m', '1m'), d)

const nodes = ['n1', 'n2', 'n3', 'n4']
const steady = censuses(90)

/** The counter of give-ups with the label that the kind of the span is. */
const ofKind = (kind: string) => counter('mesh.seed.giveup').replace('}', `,span_kind="SPAN_KIND_${kind}"}`)

/** Alerts about seeds: those that are not there, and those that do not answer. */
export const seedAlerts = {
  MeshSeedRetrying: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has retried a seed for minutes',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: (d) => `${retrying(d)} > 0`,
    forTime: '2m',
    keepFiring: '6m',
    meaning:
      'A node had failed attempts at a seed in every minute for two minutes. A seed that comes half a minute late rings nothing: waits grow 1, 2, 4, 8, 16 s.',
    cure: 'Open the campaign: mesh.dial.stage says how far the attempts came. resolve: the name; dial: address, port, firewall, or the seed is down; handshake, identify: something else answers there. Start the seed, or correct MESH_SEEDS.',
    search: { span: 'mesh.seed.retry' },
    emitDelay: '1s',
    cases: [
      {
        title: 'a seed that never answers',
        series: { [counter('mesh.seed.retry')]: '0+0.4x90', [up]: '1+0x90' },
        checks: [
          { at: '2m', fires: [] },
          { at: '2m30s', fires: firesFor('n1') },
          { at: '14m', fires: firesFor('n1') },
        ],
      },
      {
        title: 'a seed that is a minute late',
        series: { [counter('mesh.seed.retry')]: '0 1 2 3 4 4 5 6+0x90', [up]: '1+0x97' },
        checks: [
          { at: '2m', fires: [] },
          { at: '2m10s', fires: [] },
          { at: '5m', fires: [] },
        ],
      },
    ],
  },
  MeshSeedGiveup: {
    summary:
      '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has given up a seed ({{ printf "%.0f" $value }} in 5 min)',
    severity: 'page',
    per: 'node',
    about: 'mesh',
    expr: (d) => `${spanIncrease('mesh.seed.giveup', d('5m'), d)} > 0`,
    keepFiring: '10m',
    meaning:
      'Ten attempts at a seed failed in a row. The very first rings as any other does; an old one does not ring again when Prometheus was away meanwhile, or lost its database.',
    cure: 'Open the campaign: error.type and mesh.dial.stage of its attempts say why each failed, mesh.seed.addresses what the name resolved to. Cure that; the node tries again by itself, every 30 s while it is alone, every 5 min otherwise.',
    search: { span: 'mesh.seed.giveup' },
    emitDelay: '1s',
    cases: [
      {
        title: 'the very first ever, and its end',
        series: { [counter('mesh.seed.giveup')]: '_x20 1+0x200', [up]: '1+0x220' },
        jaeger: 'https://jaeger.example.org',
        checks: [
          { at: '3m', fires: [] },
          { at: '4m', fires: firesFor('n1', 1) },
          { at: '30m', fires: [] },
        ],
      },
      {
        title: 'an old one is not news after 20 minutes without scrapes, the next one is',
        series: {
          [counter('mesh.seed.giveup')]: '1+0x120 stale _x119 1+0x40 2+0x40',
          [up]: '1+0x120 stale _x119 1+0x81',
        },
        checks: [
          { at: '19m', fires: [] },
          { at: '41m', fires: [] },
          { at: '46m', fires: [] },
          { at: '48m', fires: firesFor('n1', 1) },
        ],
      },
      {
        title: 'an old one is not news after 20 minutes in which the Collector did not answer',
        series: {
          [counter('mesh.seed.giveup')]: '1+0x120 stale _x119 1+0x81',
          [up]: '1+0x120 0+0x119 1+0x81',
        },
        checks: [
          { at: '41m', fires: [] },
          { at: '46m', fires: [] },
        ],
      },
      {
        title: 'with an empty database old ones are not news, the next one is',
        series: { [counter('mesh.seed.giveup')]: '_ _ _ 7+0x15 8+0x60', [up]: '_ 0 0 1+0x80' },
        checks: [
          { at: '1m', fires: [] },
          { at: '2m50s', fires: [] },
          { at: '3m20s', fires: firesFor('n1', 1) },
        ],
      },
      {
        title: 'given up while Prometheus was away',
        series: { [counter('mesh.seed.giveup')]: '_x241 1+0x80', [up]: '1+0x120 stale _x119 1+0x81' },
        checks: [
          { at: '40m', fires: [] },
          { at: '41m', fires: firesFor('n1', 1) },
        ],
      },
      {
        title: 'a counter that the Collector had dropped begins again at 1',
        series: { [counter('mesh.seed.giveup')]: '1+0x30 stale _x119 1+0x40', [up]: '1+0x200' },
        checks: [
          { at: '25m', fires: [] },
          { at: '26m', fires: firesFor('n1', 1) },
        ],
      },
      {
        title: 'an upgrade that changes the kind of the span: the old count is not news, the next give-up is',
        series: {
          [ofKind('INTERNAL')]: '3+0x30 stale',
          [ofKind('CLIENT')]: '_x60 0 1+0x60',
          [up]: '1+0x130',
        },
        checks: [
          { at: '6m', fires: [] },
          { at: '10m', fires: [] },
          { at: '10m30s', fires: firesFor('n1', 1) },
        ],
      },
      {
        title: 'a counter that went back',
        series: { [counter('mesh.seed.giveup')]: '3+0x120 0 1+0x60', [up]: '1+0x200' },
        checks: [
          { at: '20m', fires: [] },
          { at: '21m', fires: firesFor('n1', 1) },
        ],
      },
    ],
  },
  MeshRetryStorm: {
    summary: '{{ printf "%.0f" $value }} nodes of {{ $labels.mesh_id }} retry their seeds at once',
    severity: 'page',
    per: 'mesh',
    about: 'mesh',
    expr: (d) => `count by (mesh_id) (
${indent(retrying(d))} > 0
)
>=
clamp_min(0.5 * count by (mesh_id) (${runningNodes(d)}), 3)`,
    forTime: '2m',
    // Nodes that have links try every five minutes: between two campaigns the storm is not over.
    keepFiring: '6m',
    meaning:
      'At least three nodes, and half of all that run, had failed attempts in every minute for two minutes: what they share is broken, not one of them.',
    cure: 'Look for what is common: one seed address in all campaigns (start that seed), stage resolve everywhere (name server), stage dial everywhere (network, firewall, a wrong MESH_SEEDS rolled out). Waits are spread and grow, so the seeds survive the storm.',
    search: { span: 'mesh.seed.retry' },
    emitDelay: '1s',
    cases: [
      {
        title: 'three of four nodes',
        series: {
          ...ofNodes(nodes, (node) => counter('mesh.audit', node), steady),
          ...ofNodes(nodes.slice(1), (node) => counter('mesh.seed.retry', node), '0+0.4x90'),
          [up]: '1+0x90',
        },
        checks: [
          { at: '2m', fires: [] },
          { at: '2m30s', fires: firesForMesh(3) },
        ],
      },
      {
        title: 'two of four nodes, and three of eight',
        series: {
          ...ofNodes([...nodes, 'n5', 'n6', 'n7', 'n8'], (node) => counter('mesh.audit', node), steady),
          ...ofNodes(nodes.slice(1), (node) => counter('mesh.seed.retry', node), '0+0.4x90'),
          [up]: '1+0x90',
        },
        checks: [{ at: '5m', fires: [] }],
      },
    ],
  },
  MeshNodeAlone: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} runs and has no link',
    severity: 'page',
    per: 'node',
    about: 'mesh',
    expr: (d) => `max by (mesh_id, mesh_node_name) (mesh_links) == 0
and ${parenthesized(runningNodes(d))}
and on (mesh_id) (count by (mesh_id) (${runningNodes(d)}) > 1)`,
    forTime: '2m',
    meaning:
      'A node that runs counted no link in any census of two minutes, while another node of its mesh runs as well. A mesh of one node rings nothing.',
    cure: 'Its campaigns (mesh.seed.dial) say why it reaches no seed. If it reaches one and loses it again, read mesh.close.reason of mesh.connection.closed: foreign-mesh is a wrong MESH_ID, limit a full seed. One without seeds has no campaign: whoever should have dialled it has. A seed that is the node itself has none either: mesh.seed.self names it; put another node into MESH_SEEDS. Guests are no links.',
    // Who has no seed has no campaign, and whose seed answers and hangs up has no retry; what ended is of before.
    search: 'node',
    emitDelay: '31s',
    cases: [
      {
        title: 'one of two nodes has no link',
        series: {
          ...ofNodes(['n1', 'n2'], (node) => counter('mesh.audit', node), steady),
          'mesh_links{mesh_id="a",mesh_node_name="n1"}': '0+0x90',
          'mesh_links{mesh_id="a",mesh_node_name="n2"}': '1+0x90',
        },
        checks: [
          { at: '1m50s', fires: [] },
          { at: '2m30s', fires: firesFor('n1') },
        ],
      },
      {
        title: 'the only node of its mesh',
        series: {
          [counter('mesh.audit')]: steady,
          'mesh_links{mesh_id="a",mesh_node_name="n1"}': '0+0x90',
        },
        checks: [{ at: '10m', fires: [] }],
      },
      {
        title: 'a node that finds the others within its first minute, and one that died alone',
        series: {
          ...ofNodes(['n1', 'n2'], (node) => counter('mesh.audit', node), steady),
          [counter('mesh.audit', 'n3')]: '0x2 1x2 2+0x80',
          'mesh_links{mesh_id="a",mesh_node_name="n1"}': '0+0x5 1+0x80',
          'mesh_links{mesh_id="a",mesh_node_name="n2"}': '0+0x5 1+0x80',
          'mesh_links{mesh_id="a",mesh_node_name="n3"}': '1+0x6 0+0x80',
        },
        checks: [
          { at: '2m30s', fires: [] },
          { at: '4m', fires: [] },
        ],
      },
    ],
  },
} as const satisfies Record<string, AlertSpec>
