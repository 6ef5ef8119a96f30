import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeProcess, Usage } from '../testing/cluster.ts'

/** Between two looks at the memory of processes, in milliseconds. */
const lookEveryMs = 1_000

/** Waits while looking at the memory of processes; the highest resident set of each, in MiB, by name. */
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
    await sleep(Math.max(0, Math.min(lookEveryMs, until - performance.now())), undefined, { signal })
  } while (performance.now() < until)
  return highest
}
