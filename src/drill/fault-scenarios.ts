import type { AlertName } from '../catalogue/alerts.ts'
import type { SpanName } from '../catalogue/spans.ts'
import type { Fault } from '../kit/faults.ts'
import { linkMs, type Scenario, type Stage } from './scenario.ts'
import { firstFulfilled, pause, waitUntil } from './waiting.ts'

/** Longer than from one census to the next, in milliseconds: what a fault does is told by then. */
const evidenceMs = 90_000
/** A node that does not run for a quarter of the staleness window (30 s) says so when it wakes. */
const stallMs = 12_000
const leaks: readonly AlertName[] = ['MeshConnectionsNotClosed', 'MeshSuspects', 'MeshLeakSuspected']

/** Two healthy nodes that are linked and known to Prometheus; the second then begins anew with a fault. */
export const faultScenarios: readonly Scenario[] = [
  faultScenario({
    name: 'sweep',
    alerts: ['MeshPrunerSilent'],
    description: 'the sweep of one node no longer runs',
    fault: 'hold-sweep',
    // A stop in order would be a good reason for no sweep.
    kills: true,
  }),
  faultScenario({
    name: 'registry',
    alerts: ['MeshRegistryGrowing'],
    description: 'a registry of one node grows to its bound',
    fault: 'grow-registry',
  }),
  faultScenario({
    name: 'loss',
    alerts: ['MeshTelemetryLost'],
    description: 'one node has no room for its spans',
    fault: 'lose-spans',
    // Not the span's own name: the log says it in words.
    logLine: 'spans were lost',
  }),
  faultScenario({
    name: 'clock',
    alerts: ['MeshClockSkewed'],
    description: 'the clock of one node is an hour ahead',
    fault: 'skew-clock',
    logLine: 'mesh.clock.skewed',
  }),
  faultScenario({
    name: 'memory',
    alerts: ['MeshRoleOverBudget'],
    description: 'one node holds 256 MiB too much',
    fault: 'hold-memory',
  }),
  faultScenario({
    name: 'descriptors',
    alerts: ['MeshResourcesExhausted'],
    description: 'one node is out of file descriptors',
    fault: 'no-descriptors',
    logLine: 'mesh.resource.exhausted',
  }),
  {
    name: 'connections',
    alerts: leaks,
    description: 'four nodes open ever more connections to each other and close none',
    size: 4,
    condition: (stage) => {
      const { mesh } = stage
      return {
        prepare: () => startMesh(stage),
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
    description: `one node does not run for ${stallMs / 1_000} s`,
    size: 2,
    condition: (stage) => ({
      prepare: () => startMesh(stage),
      cause: async (caused) => {
        const [, node] = stage.mesh.nodes
        node?.pause()
        await pause(stage.clock, stallMs, stage.signal)
        const logLine = node?.waitForLog('mesh.node.stalled', linkMs)
        node?.resume()
        await logLine
        caused('MeshNodeStalled')
      },
      heal: async () => {},
    }),
  },
]

interface FaultScenario {
  readonly name: string
  readonly alerts: readonly AlertName[]
  readonly description: string
  readonly fault: Fault
  /** The old process does not say that it stops. */
  readonly kills?: true
  /** The cause is the first such line of any node; it is that the node listens, unless given. */
  readonly logLine?: SpanName | 'spans were lost'
}

function faultScenario({ fault, kills, logLine, ...scenario }: FaultScenario): Scenario {
  return {
    ...scenario,
    size: 2,
    condition: (stage) => {
      const { mesh } = stage
      const faultyNodes = mesh.nodes.slice(1)
      return {
        prepare: () => startMesh(stage),
        cause: async (caused) => {
          if (kills) await Promise.all(faultyNodes.map((node) => node.kill()))
          else await Promise.all(faultyNodes.map((node) => node.stop()))
          const waits = logLine === undefined ? [] : mesh.nodes.map((node) => node.waitForLog(logLine, evidenceMs))
          await mesh.start(faultyNodes, '--fault', fault)
          // Whoever tells it first; the others may never.
          if (waits.length > 0) await firstFulfilled(waits)
          for (const alert of scenario.alerts) caused(alert)
        },
        heal: () => mesh.restart(faultyNodes),
      }
    },
  }
}

/**
 * Starts everybody, all but the first with further flags, and waits until all are linked and Prometheus knows them: only
 * then can something change.
 */
export async function startMesh(
  { mesh, clock, signal, waitUntilKnown: known }: Stage,
  ...further: readonly string[]
): Promise<void> {
  const [first, ...others] = mesh.nodes
  if (first !== undefined) await mesh.start([first])
  await mesh.start(others, ...further)
  const linked = () => mesh.nodes.every(({ tally }) => tally.links > 0)
  await waitUntil(linked, { step: `linking ${mesh.id}`, limitMs: linkMs, clock, signal })
  await known()
}
