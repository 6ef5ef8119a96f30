import type { AlertName } from '../catalogue/alerts.ts'
import type { SpanName } from '../catalogue/spans.ts'
import type { Fault } from '../kit/faults.ts'
import { linkMs, type Scenario, type Stage } from './scenario.ts'
import { firstOf, pause, waitUntil } from './waiting.ts'

/** Longer than from one census to the next, in milliseconds: what a fault does is told by then. */
const spanDelayMs = 90_000
/** A node that does not run for a quarter of the staleness window (30 s) says so when it wakes. */
const stallMs = 12_000
const leaks: readonly AlertName[] = ['MeshConnectionsNotClosed', 'MeshSuspects', 'MeshLeakSuspected']

/** Two healthy nodes that are linked and known to Prometheus; the second then begins anew with a fault. */
export const faultScenarios: readonly Scenario[] = [
  faulty({
    name: 'sweep',
    alerts: ['MeshPrunerSilent'],
    about: 'the sweep of one node no longer runs',
    fault: 'hold-sweep',
    // A stop in order would be a good reason for no sweep.
    killed: true,
  }),
  faulty({
    name: 'registry',
    alerts: ['MeshRegistryGrowing'],
    about: 'a registry of one node grows to its bound',
    fault: 'grow-registry',
  }),
  faulty({
    name: 'loss',
    alerts: ['MeshTelemetryLost'],
    about: 'one node has no room for its spans',
    fault: 'lose-spans',
    // Not the span's own name: the log says it in words.
    told: 'spans were lost',
  }),
  faulty({
    name: 'clock',
    alerts: ['MeshClockSkewed'],
    about: 'the clock of one node is an hour ahead',
    fault: 'skew-clock',
    told: 'mesh.clock.skewed',
  }),
  faulty({
    name: 'memory',
    alerts: ['MeshRoleOverBudget'],
    about: 'one node holds 256 MiB too much',
    fault: 'hold-memory',
  }),
  faulty({
    name: 'descriptors',
    alerts: ['MeshResourcesExhausted'],
    about: 'one node is out of file descriptors',
    fault: 'no-descriptors',
    told: 'mesh.resource.exhausted',
  }),
  {
    name: 'connections',
    alerts: leaks,
    about: 'four nodes open ever more connections to each other and close none',
    size: 4,
    condition: (stage) => {
      const { mesh } = stage
      return {
        prepare: () => begin(stage),
        cause: async (caused) => {
          await mesh.restart(mesh.nodes, '--fault', 'keep-connections')
          for (const alert of leaks) caused(alert)
        },
        heal: () => mesh.restart(mesh.nodes),
      }
    },
  },
  {
    name: 'stall',
    alerts: ['MeshNodeStalled'],
    about: `one node does not run for ${stallMs / 1_000} s`,
    size: 2,
    condition: (stage) => ({
      prepare: () => begin(stage),
      cause: async (caused) => {
        const [, node] = stage.mesh.nodes
        node?.pause()
        await pause(stage.clock, stallMs, stage.signal)
        const told = node?.said('mesh.node.stalled', linkMs)
        node?.resume()
        await told
        caused('MeshNodeStalled')
      },
      heal: async () => {},
    }),
  },
]

interface Faulty {
  readonly name: string
  readonly alerts: readonly AlertName[]
  readonly about: string
  readonly fault: Fault
  /** The old process does not say that it stops. */
  readonly killed?: true
  /** The cause is the first such line of any node; it is that the node listens, unless given. */
  readonly told?: SpanName | 'spans were lost'
}

function faulty({ fault, killed, told, ...scenario }: Faulty): Scenario {
  return {
    ...scenario,
    size: 2,
    condition: (stage) => {
      const { mesh } = stage
      const changed = mesh.nodes.slice(1)
      return {
        prepare: () => begin(stage),
        cause: async (caused) => {
          if (killed) await Promise.all(changed.map((node) => node.kill()))
          else await Promise.all(changed.map((node) => node.stop()))
          const said = told === undefined ? [] : mesh.nodes.map((node) => node.said(told, spanDelayMs))
          await mesh.start(changed, '--fault', fault)
          // Whoever tells it first; the others may never.
          if (said.length > 0) await firstOf(said)
          for (const alert of scenario.alerts) caused(alert)
        },
        heal: () => mesh.restart(changed),
      }
    },
  }
}

/**
 * Starts everybody, all but the first with further flags, and waits until all are linked and Prometheus knows them: only
 * then can something change.
 */
export async function begin({ mesh, clock, signal, known }: Stage, ...further: readonly string[]): Promise<void> {
  const [first, ...others] = mesh.nodes
  if (first !== undefined) await mesh.start([first])
  await mesh.start(others, ...further)
  const linked = () => mesh.nodes.every(({ tally }) => tally.links > 0)
  await waitUntil(linked, { step: `linking ${mesh.id}`, limitMs: linkMs, clock, signal })
  await known()
}
