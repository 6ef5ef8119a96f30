import type { AlertName } from '../catalogue/alerts.ts'
import type { Clock } from '../core/machine.ts'
import type { DrillMesh } from './drill-processes.ts'
import type { Condition } from './judge.ts'
import type { StackControl } from './stack-control.ts'

/** What a scenario works with. */
export interface Stage {
  readonly mesh: DrillMesh
  readonly stack: StackControl
  /** Receiver of the stack. */
  readonly otlp: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Resolves when Prometheus has scraped every node of the mesh several times. Throws MESH_STEP_TIMEOUT. */
  waitUntilKnown(): Promise<void>
}

/** One condition, and the alerts that it has to make ring. */
export interface Scenario {
  /** Its mesh is `drill-<name>`. */
  readonly name: string
  readonly alerts: readonly AlertName[]
  /** What is done, for people. */
  readonly description: string
  /** Nodes of its mesh. */
  readonly size: number
  /** The nodes find each other by the first one. True unless said otherwise. */
  readonly seeded?: boolean
  /** It needs a hold on the services of the stack, and runs by itself: what it does concerns every mesh. */
  readonly holdsStack?: true
  condition(stage: Stage): Condition
  /** Puts right what is not the drill's own, also when the drill was broken off. */
  undo?(stage: Stage): Promise<void>
}

/** From the start of the last node until everybody has a link, in milliseconds. Guess. */
export const linkMs = 60_000
