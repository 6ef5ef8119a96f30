import { byNode, recorded, spanIncrease } from './promql.ts'
import { type AlertDeclaration, counter, firesFor, gauge, refusedSpans, up } from './spec.ts'

/** Counts a missing series as 0, where `beside` has one. */
const orZero = (expr: string, beside: string) => `(${expr} or 0 * ${beside})`

const opened = counter('mesh.connection.opened')
const closed = counter('mesh.connection.closed')

/** Alerts about connections: leaked, too many, refused or broken. */
export const connectionAlerts = {
  MeshConnectionsNotClosed: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} does not close the connections it opens',
    severity: 'warning',
    basis: 'numbers',
    expr: (d) => {
      const hour = d('1h')
      const openedSpans = recorded('node:connections_opened:increase1h')
      const maxOver = (metric: string) => `max by (${byNode}) (max_over_time(${metric}[${hour}]))`
      const gainOf = (metric: string) =>
        `clamp_min(${maxOver(metric)} - ${orZero(`max by (${byNode}) (${metric} offset ${hour})`, maxOver(metric))}, 0)`
      return `(
  ${openedSpans}
  - ${orZero(recorded('node:connections_closed:increase1h'), openedSpans)}
  - ${gainOf('mesh_links')}
  - ${orZero(gainOf('mesh_guests'), openedSpans)}
  - ${maxOver('mesh_links')} * ${orZero(recorded('node:starts:increase1h'), openedSpans)}
) > 5
unless on (${byNode}) max by (${byNode}) (increase(mesh_telemetry_lost_total[${hour}])) > 0`
    },
    forTime: '10m',
    meaning:
      'For ten minutes, a node had opened at least six more connections within an hour than it closed or gained as links and guests. Each start within the hour adds an allowance of all links: a killed process emits no closes. A node that lost spans within the hour does not fire: a lost close looks like a leak.',
    cure: 'Compare mesh.audit.connections with mesh.audit.links in two censuses an hour apart. mesh.audit.suspect names connections without an owner; their opening trace shows who dialled. A restart of the node frees them; an application must close the connections that it opens itself.',
    search: { span: 'mesh.connection.opened' },
    emitDelay: '1m',
    windowDelays: (d) => [d('1h')],
    cases: {
      'a fifth of all connections stays open': {
        series: { [opened]: '0+0.5x720', [closed]: '0+0.4x720', [gauge('mesh_links')]: '6+0x720' },
        checks: { '15m': [], '60m': firesFor('n1') },
      },
      'no connection is ever closed': {
        series: { [opened]: '0+0.5x720', [gauge('mesh_links')]: '6+0x720' },
        checks: { '60m': firesFor('n1') },
      },
      'the spans of some closes were lost at this node, not at another': {
        series: {
          [opened]: '0+0.5x720',
          [closed]: '0+0.4x720',
          [gauge('mesh_links')]: '6+0x720',
          [gauge('mesh_telemetry_lost_total')]: '0+0x30 40+0x690',
          [counter('mesh.connection.opened', 'n2')]: '0+0.5x720',
          [gauge('mesh_links', '', 'n2')]: '6+0x720',
          [gauge('mesh_telemetry_lost_total', '', 'n2')]: '0+0x720',
        },
        checks: { '60m': firesFor('n2') },
      },
      'churn: every connection closes': {
        series: { [opened]: '8+0.5x720', [closed]: '0+0.5x720', [gauge('mesh_links')]: '8+0x720' },
        checks: { '60m': [], '115m': [] },
      },
      'three kills in an hour, with eight links each': {
        series: {
          [opened]: '0 8+0x60 16+0x60 24+0x60 32+0x200',
          [counter('mesh.node.started')]: '1+0x61 2+0x60 3+0x60 4+0x200',
          [gauge('mesh_links')]: '0 8+0x384',
        },
        checks: { '31m': [], '45m': [], '60m': [] },
      },
      'guests that stay connected': {
        series: {
          [opened]: '0+0.1x720',
          [gauge('mesh_guests')]: '0+0.1x720',
          [gauge('mesh_links')]: '6+0x720',
        },
        checks: { '60m': [] },
      },
      'a start on a busy machine: eleven connections open and close before the first scrape': {
        series: {
          [opened]: '_ 0 20+0x200',
          [closed]: '_ 11+0x201',
          [counter('mesh.node.started')]: '_ 1+0x201',
          [gauge('mesh_links')]: '_ 9+0x201',
          [up]: '1+0x202',
        },
        checks: { '11m': [], '15m': [] },
      },
      'a leak beside guests that come and go': {
        series: {
          [opened]: '0+0.2x720',
          [closed]: '0+0.15x720',
          [gauge('mesh_guests')]: '2+0x720',
          [gauge('mesh_links')]: '6+0x720',
        },
        checks: { '75m': firesFor('n1') },
      },
      'twelve leaked connections an hour beside eight stable links': {
        series: { [opened]: '8+0.034x720', [gauge('mesh_links')]: '8+0x720' },
        checks: { '20m': [], '75m': firesFor('n1') },
      },
    },
  },
  MeshSuspects: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has connections that should be closed',
    severity: 'warning',
    basis: 'numbers',
    // A census reports a suspect when it appears and when it has aged; the gauge has their number at every census.
    expr: (d) =>
      `${spanIncrease('mesh.audit.suspect', d('2m', '90s'), d)} > 0\nor max by (mesh_id, mesh_node_name) (mesh_suspects) > 0`,
    forTime: '5m',
    meaning:
      'Every census within five minutes found a connection without an owner, one that should have closed, or one whose peer never identified itself.',
    cure: 'mesh.suspect.reason is the kind, mesh.connection.age_band the age; the span is linked to the opening of the connection. unowned: code outside the mesh opened it. superseded-open, closing-open, refused-open: the connection does not close; check the peer. unsettled-old: the peer does not respond; check that peer.',
    search: { span: 'mesh.audit.suspect' },
    emitDelay: '75s',
    cases: {
      'suspects in every census': {
        series: { [gauge('mesh_suspects')]: '0 0 2+0x90', [up]: '1+0x92' },
        checks: { '5m': [], '6m': firesFor('n1') },
      },
      'suspects in every census of a node of the previous version': {
        series: { [counter('mesh.audit.suspect')]: '0 0 0+1x90', [up]: '1+0x92' },
        checks: { '5m': [], '6m': firesFor('n1') },
      },
      'suspects in one census': {
        series: {
          [counter('mesh.audit.suspect')]: '0+0x6 2+0x90',
          [gauge('mesh_suspects')]: '0+0x6 2 0+0x90',
          [up]: '1+0x97',
        },
        checks: { '2m': [], '7m': [] },
      },
    },
  },
  MeshLeakSuspected: {
    summary: 'An invariant is broken at {{ $labels.mesh_node_name }} of {{ $labels.mesh_id }}',
    severity: 'critical',
    basis: 'events',
    // One census may emit several spans at once, so the expression compares recent spans with earlier ones.
    expr: () => {
      const lately = recorded('node:broken_invariants:increase40s')
      return `${recorded('node:broken_invariants:increase5m')} - ${lately} > 0\nand ${lately} > 0`
    },
    keepFiring: '5m',
    meaning:
      'Two censuses within five minutes found a broken invariant: the connections of libp2p differ from the ledger, a pair has two connections, or a count of what was added less what was released differs from the number of entries. A single finding does not fire.',
    cure: 'mesh.invariant names the invariant, mesh.invariant.owner whose it is, mesh.expected and mesh.actual the values, mesh.invariant.ids what breaks it. Save the traces, then restart the node.',
    search: { span: 'mesh.leak.suspected' },
    emitDelay: '105s',
    cases: {
      'a second census finds a broken invariant': {
        series: { [counter('mesh.leak.suspected')]: '_x6 1 1 1 2+0x90', [up]: '1+0x100' },
        checks: { '1m30s': [], '1m50s': firesFor('n1'), '15m': [] },
      },
      'a second census finds a broken invariant while the Collector refuses spans': {
        series: {
          [counter('mesh.leak.suspected')]: '_x6 1 1 1 2+0x90',
          ...refusedSpans('0+0x5 5+5x90', 100),
          [up]: '1+0x100',
        },
        checks: { '1m30s': [], '1m50s': firesFor('n1') },
      },
      'one census finds two broken invariants': {
        series: { [counter('mesh.leak.suspected')]: '_x6 2+0x90', [up]: '1+0x97' },
        checks: { '1m30s': [], '2m': [], '5m': [] },
      },
      'one census finds a broken invariant': {
        series: { [counter('mesh.leak.suspected')]: '_x6 1+0x90', [up]: '1+0x97' },
        checks: { '1m40s': [], '5m': [] },
      },
    },
  },
} as const satisfies Record<string, AlertDeclaration>
