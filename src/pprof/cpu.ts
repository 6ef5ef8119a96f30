import type { Profiler } from 'node:inspector'
import type { Session } from 'node:inspector/promises'
import type { Recording, Stack } from './pprof-file.ts'

/**
 * Sampling interval in microseconds. A tenth of Go's, since an idle node works for a few milliseconds of each second;
 * measured, it costs 45 ms/s while a profile is taken.
 */
const intervalUs = 1_000

export async function startCpu(session: Session): Promise<() => Promise<Recording>> {
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: intervalUs })
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
      period: intervalUs * 1_000,
      stacks: cpuStacks(profile, startUs),
    }
  }
}

/**
 * Each stack with its number of samples and its time in nanoseconds. The first `startUs` microseconds are left out: to
 * start, V8 walks the heap for all code, and an idle node's profile would show little else.
 */
export function cpuStacks(profile: Profiler.Profile, startUs: number): Stack[] {
  const { nodes, samples = [], timeDeltas = [], startTime, endTime } = profile
  const costs = new Map<number, { count: number; us: number }>()
  let atUs = startTime
  for (const [index, id] of samples.entries()) {
    atUs += timeDeltas[index] ?? 0
    if (atUs < startTime + startUs) continue
    // Until the next sample, which may be late.
    const sampleUs = Math.max(0, timeDeltas[index + 1] ?? endTime - atUs)
    const { count, us: before } = costs.get(id) ?? { count: 0, us: 0 }
    costs.set(id, { count: count + 1, us: before + sampleUs })
  }
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)))
  return nodes.flatMap((node): Stack[] => {
    const cost = costs.get(node.id)
    // Idle time costs no CPU.
    if (cost === undefined || node.callFrame.functionName === '(idle)') return []
    const frames = []
    for (let at: typeof node | undefined = node; at !== undefined; at = parents.get(at.id)) frames.push(at.callFrame)
    // The outermost frame is V8's (root).
    return [{ frames: frames.slice(0, -1), values: [cost.count, cost.us * 1_000] }]
  })
}
