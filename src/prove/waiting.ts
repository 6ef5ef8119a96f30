import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeProcess, Usage } from '../testing/cluster/cluster.ts'

/** Interval of memory samples, in milliseconds. */
const sampleIntervalMs = 1_000

/** Samples the memory of processes for `ms`; returns the highest resident set of each, in MiB, by name. */
export async function highestRss(
  nodes: readonly NodeProcess[],
  ms: number,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const highest: Record<string, number> = {}
  const until = performance.now() + ms
  do {
    const usages = await Promise.all(nodes.map((node): Promise<Usage> => node.usage()))
    for (const [index, { rssMb }] of usages.entries()) {
      const name = nodes[index]?.name ?? ''
      highest[name] = Math.max(highest[name] ?? 0, rssMb)
    }
    await sleep(Math.max(0, Math.min(sampleIntervalMs, until - performance.now())), undefined, { signal })
  } while (performance.now() < until)
  return highest
}
