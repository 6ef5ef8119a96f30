import type { AlertName } from '../catalogue/alerts.ts'
import type { Clock } from '../core/machine.ts'
import type { DrillMesh } from './drill-processes.ts'
import type { Condition } from './judge.ts'
import type { StackControl } from './stack-control.ts'

/** The environment of a scenario. */
export interface Stage {
  readonly mesh: DrillMesh
  readonly stack: StackControl
  /** OTLP endpoint of the stack. */
  readonly otlp: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Resolves when Prometheus has scraped every node of the mesh several times. Throws MESH_STEP_TIMEOUT. */
  waitUntilKnown(): Promise<void>
}

/** One condition, and the alerts that it has to make fire. */
export interface Scenario {
  /** Its mesh is `drill-<name>`. */
  readonly name: string
  readonly alerts: readonly AlertName[]
  /** What the scenario does, in words. */
  readonly description: string
  /** Nodes of its mesh. */
  readonly size: number
  /** Whether the first node is the seed of the others. True by default. */
  readonly seeded?: boolean
  /** Needs control of the services of the stack, and runs alone, since it affects every mesh. */
  readonly holdsStack?: true
  condition(stage: Stage): Condition
  /** Restores the stack, also after an interrupt. */
  undo?(stage: Stage): Promise<void>
}

/** From the start of the last node until every node has a link, in milliseconds. Guess. */
export const linkMs = 60_000
