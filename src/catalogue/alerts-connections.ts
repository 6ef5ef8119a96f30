import { counter, firesFor, gauge, up } from './alert-case.ts'
import { byNode, parenthesized, spanIncrease } from './alert-promql.ts'
import type { AlertSpec } from './alert-spec.ts'

/** Of series that may not be there yet, counted as 0 beside those that are. */
const orZero = (expr: string, beside: string) => `(${expr} or 0 * ${beside})`

const opened = counter('mesh.connection.opened')
const closed = counter('mesh.connection.closed')

/** Alerts about connections that are held longer, or in greater number, than they should be. */
export const connectionAlerts = {
  MeshConnectionsNotClosed: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} opens connections that it does not close',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: (d) => {
      const hour = d('1h')
      // Exactly: `increase()` takes the first value of a series for nothing, and the ten of a start are more than this allows.
      const openedSpans = parenthesized(spanIncrease('mesh.connection.opened', hour, d))
      const maxOver = (metric: string) => `max by (${byNode}) (max_over_time(${metric}[${hour}]))`
      const gainOf = (metric: string) =>
        `clamp_min(${maxOver(metric)} - ${orZero(`max by (${byNode}) (${metric} offset ${hour})`, maxOver(metric))}, 0)`
      return `(
  ${openedSpans}
  - ${orZero(parenthesized(spanIncrease('mesh.connection.closed', hour, d)), openedSpans)}
  - ${gainOf('mesh_links')}
  - ${orZero(gainOf('mesh_guests'), openedSpans)}
  - ${maxOver('mesh_links')} * ${orZero(parenthesized(spanIncrease('mesh.node.started', hour, d)), openedSpans)}
) > 5`
    },
    forTime: '10m',
    meaning:
      'Within an hour a node opened more connections than it closed, by more than five above the links and guests that it gained, for ten minutes. Links are allowed once more for each start within the hour: a process that was killed tells of no closes.',
    cure: 'Compare two censuses an hour apart: mesh.audit.connections against mesh.audit.links. mesh.audit.suspect names the connections that nobody owns; the trace of one’s birth says who opened it. Restarting the node frees them; an application that opens connections itself has to close them.',
    search: { span: 'mesh.connection.opened' },
    emitDelay: '1m',
    windowDelays: (d) => [d('1h')],
    cases: [
      {
        title: 'a fifth of all connections stays open',
        series: { [opened]: '0+0.5x720', [closed]: '0+0.4x720', [gauge('mesh_links')]: '6+0x720' },
        checks: [
          { at: '15m', fires: [] },
          { at: '60m', fires: firesFor('n1') },
        ],
      },
      {
        title: 'none was ever closed',
        series: { [opened]: '0+0.5x720', [gauge('mesh_links')]: '6+0x720' },
        checks: [{ at: '60m', fires: firesFor('n1') }],
      },
      {
        title: 'churn, each connection closed',
        series: { [opened]: '8+0.5x720', [closed]: '0+0.5x720', [gauge('mesh_links')]: '8+0x720' },
        checks: [
          { at: '60m', fires: [] },
          { at: '115m', fires: [] },
        ],
      },
      {
        title: 'killed three times in an hour, eight links each time',
        series: {
          [opened]: '0 8+0x60 16+0x60 24+0x60 32+0x200',
          [counter('mesh.node.started')]: '1+0x61 2+0x60 3+0x60 4+0x200',
          [gauge('mesh_links')]: '0 8+0x384',
        },
        checks: [
          { at: '31m', fires: [] },
          { at: '45m', fires: [] },
          { at: '60m', fires: [] },
        ],
      },
      {
        title: 'guests that stay',
        series: {
          [opened]: '0+0.1x720',
          [gauge('mesh_guests')]: '0+0.1x720',
          [gauge('mesh_links')]: '6+0x720',
        },
        checks: [{ at: '60m', fires: [] }],
      },
      {
        title: 'a start on a busy machine: eleven opened and closed before the first scrape',
        series: {
          [opened]: '_ 0 20+0x200',
          [closed]: '_ 11+0x201',
          [counter('mesh.node.started')]: '_ 1+0x201',
          [gauge('mesh_links')]: '_ 9+0x201',
          [up]: '1+0x202',
        },
        checks: [
          { at: '11m', fires: [] },
          { at: '15m', fires: [] },
        ],
      },
      {
        title: 'a leak beside guests that come and go',
        series: {
          [opened]: '0+0.2x720',
          [closed]: '0+0.15x720',
          [gauge('mesh_guests')]: '2+0x720',
          [gauge('mesh_links')]: '6+0x720',
        },
        checks: [{ at: '75m', fires: firesFor('n1') }],
      },
      {
        title: 'twelve an hour beside eight links that stay',
        series: { [opened]: '8+0.034x720', [gauge('mesh_links')]: '8+0x720' },
        checks: [
          { at: '20m', fires: [] },
          { at: '75m', fires: firesFor('n1') },
        ],
      },
    ],
  },
  MeshSuspects: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} holds connections that should be gone',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: (d) => `${spanIncrease('mesh.audit.suspect', d('2m', '90s'), d)} > 0`,
    forTime: '5m',
    meaning:
      'Each census of five minutes named a connection that nobody owns, that another superseded, or whose peer never said what it is.',
    cure: 'mesh.suspect.reason says which of the three, mesh.connection.age_band for how long. unowned: code beside the mesh opened it. superseded-open: the peer does not close its end. unsettled-old: the peer answers nothing; look at it.',
    search: { span: 'mesh.audit.suspect' },
    emitDelay: '75s',
    cases: [
      {
        title: 'suspects in every census',
        series: { [counter('mesh.audit.suspect')]: '0 0 0+1x90', [up]: '1+0x92' },
        checks: [
          { at: '5m', fires: [] },
          { at: '6m', fires: firesFor('n1') },
        ],
      },
      {
        title: 'suspects in one census',
        series: { [counter('mesh.audit.suspect')]: '0+0x6 2+0x90', [up]: '1+0x97' },
        checks: [
          { at: '2m', fires: [] },
          { at: '7m', fires: [] },
        ],
      },
    ],
  },
  MeshLeakSuspected: {
    summary: 'An invariant is broken at {{ $labels.mesh_node_name }} of {{ $labels.mesh_id }}',
    severity: 'page',
    per: 'node',
    about: 'mesh',
    // One census may find several at once, so what came lately is set against what came before.
    expr: (d) => {
      const within = (window: string) => parenthesized(spanIncrease('mesh.leak.suspected', window, d))
      const lately = within(d('40s', '40s'))
      return `${within(d('5m', '90s'))} - ${lately} > 0\nand ${lately} > 0`
    },
    keepFiring: '5m',
    meaning:
      'Two censuses within five minutes found an invariant broken: libp2p holds other connections than the ledger, a pair has two links, or a registry is above its bound. One finding alone rings nothing.',
    cure: 'mesh.invariant says which, mesh.expected and mesh.actual by how much. The suspects beside it in the same trace name the connections. Keep the traces, restart the node.',
    search: { span: 'mesh.leak.suspected' },
    emitDelay: '105s',
    cases: [
      {
        title: 'the second census that finds it',
        series: { [counter('mesh.leak.suspected')]: '_x6 1 1 1 2+0x90', [up]: '1+0x100' },
        checks: [
          { at: '1m30s', fires: [] },
          { at: '1m50s', fires: firesFor('n1') },
          { at: '15m', fires: [] },
        ],
      },
      {
        title: 'one census that finds two at once',
        series: { [counter('mesh.leak.suspected')]: '_x6 2+0x90', [up]: '1+0x97' },
        checks: [
          { at: '1m30s', fires: [] },
          { at: '2m', fires: [] },
          { at: '5m', fires: [] },
        ],
      },
      {
        title: 'one census',
        series: { [counter('mesh.leak.suspected')]: '_x6 1+0x90', [up]: '1+0x97' },
        checks: [
          { at: '1m40s', fires: [] },
          { at: '5m', fires: [] },
        ],
      },
    ],
  },
} as const satisfies Record<string, AlertSpec>
