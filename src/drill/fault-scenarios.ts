import type { AlertName } from '../catalogue/alerts/alerts.ts'
import type { SpanName } from '../catalogue/spans.ts'
import type { Fault } from '../kit/faults.ts'
import { firstFulfilled, linkMs, pause, type Scenario, type Stage, waitUntil } from './scenario.ts'

/** Longer than a census interval, in milliseconds: by then the log has evidence of the fault. */
const evidenceMs = 90_000
/** A node emits `mesh.node.stalled` after a pause of more than a quarter of its staleness (30 s). */
const stallMs = 12_000
const leaks: readonly AlertName[] = ['MeshConnectionsNotClosed', 'MeshSuspects', 'MeshLeakSuspected']

/** Two healthy nodes with a link, known to Prometheus; then the second one restarts with a fault. */
export const faultScenarios: readonly Scenario[] = [
  faultScenario({
    name: 'sweep',
    alerts: ['MeshPrunerSilent'],
    description: 'the sweep of one node does not run',
    fault: 'hold-sweep',
    // After an ordered stop a missing sweep would be no fault.
    kills: true,
  }),
  faultScenario({
    name: 'registry',
    alerts: ['MeshRegistryGrowing'],
    description: 'a registry of one node grows to its capacity',
    fault: 'grow-registry',
  }),
  faultScenario({
    name: 'loss',
    alerts: ['MeshTelemetryLost'],
    description: 'one node has no room in its span queue',
    fault: 'lose-spans',
    // A log message, not a span name.
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
    description: 'four nodes keep opening connections to each other and close none',
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
    description: `one node is paused for ${stallMs / 1_000} s`,
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
  /** Kills the old process in place of an ordered stop. */
  readonly kills?: true
  /** The first log line of this text on any node is the cause; by default it is the restart of the faulty node. */
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
          // Only one node may log it.
          if (waits.length > 0) await firstFulfilled(waits)
          for (const alert of scenario.alerts) caused(alert)
        },
        heal: () => mesh.restart(faultyNodes),
      }
    },
  }
}

/**
 * Starts all nodes, all but the first with further flags, and waits until all have links and Prometheus knows them.
 */
export async function startMesh(
  { mesh, clock, signal, waitUntilKnown }: Stage,
  ...further: readonly string[]
): Promise<void> {
  const [first, ...others] = mesh.nodes
  if (first !== undefined) await mesh.start([first])
  await mesh.start(others, ...further)
  const linked = () => mesh.nodes.every(({ tally }) => tally.links > 0)
  await waitUntil(linked, { step: `linking ${mesh.id}`, limitMs: linkMs, clock, signal })
  await waitUntilKnown()
}
