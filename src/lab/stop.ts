import { setTimeout as sleep } from 'node:timers/promises'
import type { LabNode } from './lab-node.ts'
import { maxNodes } from './plan.ts'

/** Time limits of the steps of a lab's stop, in milliseconds. */
export const stopLimits = {
  /** The survey before the stop: nodes that do not answer must not prevent the record. */
  surveyMs: 8_000,
  /** From SIGTERM to SIGKILL: a node stops within 4 s; a starting node finishes its start first. */
  nodeMs: 6_000,
  startingMs: 15_000,
  statsMs: 5_000,
  storeMs: 6_000,
  /** Between two stops: about the CPU time of a stop on two cores, so that each node has time for its goodbyes. */
  intervalMs: 50,
} as const

/** Limit of the entire stop, with the cleanup and the record. */
export const stopWithinMs =
  stopLimits.surveyMs +
  maxNodes * stopLimits.intervalMs +
  stopLimits.startingMs +
  stopLimits.statsMs +
  stopLimits.storeMs +
  6_000

/** Stops all running nodes, one shortly after the other, and waits for the last. */
export async function stopAll(nodes: readonly LabNode[]): Promise<void> {
  const stopping: Promise<void>[] = []
  for (const node of nodes) {
    if (node.pid === undefined) continue
    stopping.push(node.stop())
    await sleep(stopLimits.intervalMs)
  }
  await Promise.all(stopping)
}
