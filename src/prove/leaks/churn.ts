import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../../testing/cluster/cluster.ts'

/** Life of each short-lived node; each starts after the end of the one before. */
const lifeMs = 4_000

/** Nodes that join by `seed` and leave, one after the other, until the abort; returns their names. */
export async function churnNodes(cluster: Cluster, seed: string, signal: AbortSignal): Promise<readonly string[]> {
  const lives: string[] = []
  while (!signal.aborted) {
    const name = `life-${lives.length % 4}`
    try {
      const node = await cluster.node(name, { seeds: [cluster.address(seed)] })
      await sleep(lifeMs, undefined, { signal }).catch(() => {})
      await node.stop()
      lives.push(name)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
  return lives
}
