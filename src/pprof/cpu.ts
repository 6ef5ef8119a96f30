import type { Profiler } from 'node:inspector'
import type { Session } from 'node:inspector/promises'
import type { Recorded, Stack } from './pprof-file.ts'

/**
 * Between two looks at the stack, in microseconds. Ten times as often as Go looks, since an idle node works for a few
 * milliseconds of each second; measured, it costs 45 ms/s for as long as the profile is taken.
 */
const everyUs = 1_000

export async function startCpu(session: Session): Promise<() => Promise<Recorded>> {
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: everyUs })
  const before = performance.now()
  await session.post('Profiler.start')
  const startUs = (performance.now() - before) * 1_000
  return async () => {
    const { profile } = await session.post('Profiler.stop')
    return {
      types: [
        ['samples', 'count'],
        ['cpu', 'nanoseconds'],
      ],
      period: everyUs * 1_000,
      stacks: cpuStacks(profile, startUs),
    }
  }
}

/**
 * Each stack with how often it was seen, and for how long in nanoseconds. The first `startUs` microseconds are left out:
 * to start, V8 walks the heap for all code that there is, and an idle node's profile would show little else.
 */
export function cpuStacks(profile: Profiler.Profile, startUs: number): Stack[] {
  const { nodes, samples = [], timeDeltas = [], startTime, endTime } = profile
  const spent = new Map<number, { seen: number; us: number }>()
  let atUs = startTime
  for (const [index, id] of samples.entries()) {
    atUs += timeDeltas[index] ?? 0
    if (atUs < startTime + startUs) continue
    // Until the next look, which may have come late.
    const us = Math.max(0, timeDeltas[index + 1] ?? endTime - atUs)
    const { seen, us: before } = spent.get(id) ?? { seen: 0, us: 0 }
    spent.set(id, { seen: seen + 1, us: before + us })
  }
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)))
  return nodes.flatMap((node): Stack[] => {
    const found = spent.get(node.id)
    // To wait for something to do costs nothing.
    if (found === undefined || node.callFrame.functionName === '(idle)') return []
    const frames = []
    for (let at: typeof node | undefined = node; at !== undefined; at = parents.get(at.id)) frames.push(at.callFrame)
    // The outermost is V8's own, which stands above all.
    return [{ frames: frames.slice(0, -1), values: [found.seen, found.us * 1_000] }]
  })
}
