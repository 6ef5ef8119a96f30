import type { AlertName } from '../catalogue/alerts/alerts.ts'
import { MeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import { raceAbort } from '../kit/clock.ts'
import type { DrillMesh } from './drill-processes.ts'
import type { Condition } from './judge.ts'

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
  /** Series that the Collector allows a mesh of one of its counters by node. Throws MESH_STACK_UNREACHABLE. */
  seriesLimit(): Promise<number>
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

/** Services of the stack that drills stop. */
export type StackService = 'collector' | 'jaeger'

/** Control of the services of a stack, by Compose or by the owner of bare processes. Throws MESH_STACK_UNHELD. */
export interface StackControl {
  stop(service: StackService): Promise<unknown>
  start(service: StackService): Promise<unknown>
}

/** Poll interval in milliseconds: a drill measures with a resolution of one second. */
export const pollMs = 1_000

/** Sleeps for `ms`. Rejects with the signal's reason on abort. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const cancel = clock.after(ms, resolve)
  await raceAbort(signal, promise).finally(cancel)
}

/** Polls each second until `holds` is true. Throws MESH_STEP_TIMEOUT after `limitMs`, or the signal's reason. */
export async function waitUntil(
  holds: () => boolean | Promise<boolean>,
  { step, limitMs, clock, signal }: { step: string; limitMs: number; clock: Clock; signal: AbortSignal },
): Promise<void> {
  const deadline = clock.now() + limitMs
  while (!(await holds())) {
    if (clock.now() >= deadline) throw new MeshError('MESH_STEP_TIMEOUT', { step, ms: limitMs })
    await pause(clock, Math.min(pollMs, limitMs), signal)
  }
}

/** Resolves with the first success; when all fail, rejects with the first error of the list. */
export async function firstFulfilled(all: readonly Promise<void>[]): Promise<void> {
  try {
    await Promise.any(all)
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error
  }
}
