import { setTimeout as sleep } from 'node:timers/promises'
import type { LabNode } from './lab-node.ts'
import { stopLimits } from './stop-limits.ts'

/** Asks everybody to stop, one shortly after the other, and waits for the last. Who has ended meanwhile is left alone. */
export async function stopAll(nodes: readonly LabNode[]): Promise<void> {
  const stopping: Promise<void>[] = []
  for (const node of nodes) {
    if (node.pid === undefined) continue
    stopping.push(node.stop())
    await sleep(stopLimits.intervalMs)
  }
  await Promise.all(stopping)
}
