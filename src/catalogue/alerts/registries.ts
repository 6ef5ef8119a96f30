import { byNode, type Durations, spanIncrease } from './promql.ts'
import { type AlertDeclaration, counter, firesFor, gauge, up } from './spec.ts'

/** Caches of recent ids: they fill up to their bound by design. */
const caches = 'messages|relay_seen'
const sizes = `mesh_registry_size{mesh_registry!~"${caches}"}`

/** Smallest size within a window: churn has peaks, but only growth raises the minima. */
function smallest(window: string, offset?: string): string {
  const before = offset === undefined ? '' : ` offset ${offset}`
  return `min by (${byNode}, mesh_registry) (min_over_time(${sizes}[${window}]${before}))`
}

/** Growth by half within an hour. */
function growsFast(d: Durations): string {
  const half = d('30m')
  return `${smallest(half)} > 32
and ${smallest(half)} > 1.2 * ${smallest(half, d('30m'))}
and ${smallest(half)} > 1.5 * ${smallest(half, d('1h', '80s'))}`
}

/** Growth by a tenth in each quarter of a day: one or two steps affect one quarter each. */
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

/** Alerts about the sizes and bounds of registries. */
export const registryAlerts = {
  MeshRegistryGrowing: {
    summary:
      'Registry {{ $labels.mesh_registry }} of {{ $labels.mesh_node_name }} in {{ $labels.mesh_id }} keeps growing',
    severity: 'warning',
    basis: 'numbers',
    expr: (d) => `${growsFast(d)}\nor ${growsSlowly(d)}`,
    forTime: '45m',
    meaning: `The smallest size of a registry within half an hour exceeded that of the previous half-hour by a fifth and that of an hour before by half, for 45 minutes, and is above 32; or the smallest size within six hours grew by a tenth three times in a row. A single step, such as scaling up a mesh, does not fire; nor do ${caches.replace('|', ' and ')}, which fill up to their bound by design.`,
    cure: 'mesh.audit has one child per registry: mesh.registry.added and the counts of released entries by reason show which release is missing; mesh.registry.owner names the owner. Its capacity bounds it, so there is time; MeshLimitReached fires when it is full.',
    search: { span: 'mesh.audit' },
    emitDelay: '1m',
    windowDelays: (d) => [d('1h', '80s'), d('30m')],
    cases: {
      'three entries a minute': {
        series: { [requests]: '0+0.5x1200' },
        checks: { '100m': [], '110m': firesForRegistry('requests', 240) },
      },
      'one step to ten times the size': {
        series: { [requests]: '10+0x200 100+0x1000' },
        checks: { '70m': [], '95m': [], '110m': [] },
      },
      'eleven entries an hour, from a hundred on': {
        series: { [requests]: '100+0.03x9000' },
        checks: { '12h': [], '23h': firesForRegistry('requests', 284) },
      },
      'two steps: three machines more in the morning, three more at noon': {
        series: { [requests]: '40+0x1000 50+0x2000 60+0x6000' },
        checks: { '14h': [], '20h': [] },
      },
      'a cache that fills up': {
        series: { [gauge('mesh_registry_size', ',mesh_registry="relay_seen"')]: '0+0.5x1200' },
        checks: { '110m': [] },
      },
      'a registry that oscillates': {
        series: { [requests]: '0+10x60 600-10x60 0+10x60 600-10x60 0+10x60 600-10x60 0+10x60 600-10x60' },
        checks: { '60m': [], '75m': [] },
      },
    },
  },
  MeshLimitReached: {
    summary: '{{ $labels.mesh_node_name }} of {{ $labels.mesh_id }} has reached a bound',
    severity: 'warning',
    basis: 'events',
    expr: (d) => `${spanIncrease('mesh.limit.reached', d('5m'), d)} > 0`,
    meaning: 'A node reached a bound, and refused, evicted or closed something because of it.',
    cure: 'mesh.limit.name is the bound, mesh.peer.id the peer. Many peers: add nodes, or raise MESH_CONNECTIONS_HIGH. One peer: check that peer first. Bounds protect the node; raise one only if you know what fills it.',
    search: { span: 'mesh.limit.reached' },
    emitDelay: '1s',
    cases: {
      'the first span': {
        series: { [counter('mesh.limit.reached')]: '_x6 1+0x90', [up]: '1+0x97' },
        checks: { '50s': [], '1m30s': firesFor('n1'), '8m': [] },
      },
      'no new span': {
        series: { [counter('mesh.limit.reached')]: '4+0x90', [up]: '1+0x90' },
        checks: { '8m': [] },
      },
    },
  },
} as const satisfies Record<string, AlertDeclaration>
