import { counter, firesFor, gauge, up } from './alert-case.ts'
import type { Durations } from './alert-durations.ts'
import { byNode, spanIncrease } from './alert-promql.ts'
import type { AlertSpec } from './alert-spec.ts'

/** Caches of what was seen last: they fill up to their bound by design. */
const caches = 'messages|relay_seen'
const sizes = `mesh_registry_size{mesh_registry!~"${caches}"}`

/** Smallest size within a window; churn has peaks, and only what grows has rising minima. */
function smallest(window: string, offset?: string): string {
  const before = offset === undefined ? '' : ` offset ${offset}`
  return `min by (${byNode}, mesh_registry) (min_over_time(${sizes}[${window}]${before}))`
}

/** By half within an hour. */
function growsFast(d: Durations): string {
  const half = d('30m')
  return `${smallest(half)} > 32
and ${smallest(half)} > 1.2 * ${smallest(half, d('30m'))}
and ${smallest(half)} > 1.5 * ${smallest(half, d('1h', '80s'))}`
}

/** By a tenth in each quarter of a day: a single step, or two, are in one quarter each. */
function growsSlowly(d: Durations): string {
  const quarter = d('6h')
  const quarters = [undefined, d('6h'), d('12h', '80s'), d('18h', '120s')].map((offset) => smallest(quarter, offset))
  const grown = quarters.slice(1).map((before, index) => `${quarters[index]} > 1.1 * ${before}`)
  return `${quarters[0]} > 32\nand ${grown.join('\nand ')}`
}

const requests = gauge('mesh_registry_size', ',mesh_registry="requests"')

function firesForRegistry(registry: string, value: number) {
  return [{ labels: { mesh_id: 'a', mesh_node_name: 'n1', mesh_registry: registry }, value }]
}

/** Alerts about how much is in the registries of a node, and what did not fit. */
export const registryAlerts = {
  MeshRegistryGrowing: {
    summary:
      'Registry {{ $labels.mesh_registry }} of {{ $labels.mesh_node_name }} in {{ $labels.mesh_id }} grows and grows',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: (d) => `${growsFast(d)}\nor ${growsSlowly(d)}`,
    forTime: '45m',
    meaning: `The least that a registry held in half an hour grew by a fifth against the half-hour before and by half against the one an hour before, for 45 minutes, and is above 32; or the least within six hours grew by a tenth three times in a row. One step, as when a mesh is scaled up, rings nothing; nor do ${caches.replace('|', ' and ')}, which fill up to their bound by design.`,
    cure: 'mesh.audit has one child per registry: mesh.registry.added and released by reason show what should empty it and does not; mesh.registry.owner says whose it is. Its capacity bounds it, so there is time; MeshLimitReached rings when it is full.',
    search: { span: 'mesh.audit' },
    emitDelay: '1m',
    windowDelays: (d) => [d('1h', '80s'), d('30m')],
    cases: [
      {
        title: 'three entries a minute',
        series: { [requests]: '0+0.5x1200' },
        checks: [
          { at: '100m', fires: [] },
          { at: '110m', fires: firesForRegistry('requests', 240) },
        ],
      },
      {
        title: 'ten times as many from one moment on, and no more since',
        series: { [requests]: '10+0x200 100+0x1000' },
        checks: [
          { at: '70m', fires: [] },
          { at: '95m', fires: [] },
          { at: '110m', fires: [] },
        ],
      },
      {
        title: 'eleven entries an hour, from a hundred on',
        series: { [requests]: '100+0.03x9000' },
        checks: [
          { at: '12h', fires: [] },
          { at: '23h', fires: firesForRegistry('requests', 284) },
        ],
      },
      {
        title: 'three machines more in the morning, three more at noon',
        series: { [requests]: '40+0x1000 50+0x2000 60+0x6000' },
        checks: [
          { at: '14h', fires: [] },
          { at: '20h', fires: [] },
        ],
      },
      {
        title: 'a cache that fills up',
        series: { [gauge('mesh_registry_size', ',mesh_registry="relay_seen"')]: '0+0.5x1200' },
        checks: [{ at: '110m', fires: [] }],
      },
      {
        title: 'a registry that swings',
        series: { [requests]: '0+10x60 600-10x60 0+10x60 600-10x60 0+10x60 600-10x60 0+10x60 600-10x60' },
        checks: [
          { at: '60m', fires: [] },
          { at: '75m', fires: [] },
        ],
      },
    ],
  },
  MeshLimitReached: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} refuses or drops something for want of room',
    severity: 'warn',
    per: 'node',
    about: 'mesh',
    expr: (d) => `${spanIncrease('mesh.limit.reached', d('5m'), d)} > 0`,
    meaning: 'A bound of a node was met, and something was refused, evicted or closed because of it.',
    cure: 'mesh.limit.name says which bound, mesh.peer.id who met it. Many peers: more nodes, or a higher MESH_MAX_PEERS. One peer: look at that peer first. Bounds protect the node; raise one only when it is known what fills it.',
    search: { span: 'mesh.limit.reached' },
    emitDelay: '1s',
    cases: [
      {
        title: 'the first time',
        series: { [counter('mesh.limit.reached')]: '_x6 1+0x90', [up]: '1+0x97' },
        checks: [
          { at: '50s', fires: [] },
          { at: '1m30s', fires: firesFor('n1') },
          { at: '8m', fires: [] },
        ],
      },
      {
        title: 'never',
        series: { [counter('mesh.limit.reached')]: '4+0x90', [up]: '1+0x90' },
        checks: [{ at: '8m', fires: [] }],
      },
    ],
  },
} as const satisfies Record<string, AlertSpec>
