import { setTimeout as sleep } from 'node:timers/promises'
import type { LabNode } from './lab-node.ts'
import { stopLimits } from './stop-limits.ts'

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
