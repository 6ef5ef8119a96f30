import type { HeapProfiler, Runtime } from 'node:inspector'
import type { Session } from 'node:inspector/promises'
import type { Recording, Stack } from './pprof-file.ts'

/** Average sampling interval in bytes. An idle node retains so little that 32 KiB would show nothing. */
const intervalBytes = 4_096

export async function startHeap(session: Session): Promise<() => Promise<Recording>> {
  await session.post('HeapProfiler.enable')
  await session.post('HeapProfiler.startSampling', { samplingInterval: intervalBytes })
  return async () => {
    const { profile } = await session.post('HeapProfiler.stopSampling')
    return { types: [['inuse_space', 'bytes']], period: intervalBytes, stacks: heapStacks(profile.head) }
  }
}

/** Each stack with the live bytes that it allocated: V8 collects garbage first, and scales up the samples. */
export function heapStacks(root: HeapProfiler.SamplingHeapProfileNode): Stack[] {
  const stacks: Stack[] = []
  const visit = (node: HeapProfiler.SamplingHeapProfileNode, outer: readonly Runtime.CallFrame[]) => {
    const frames = [node.callFrame, ...outer]
    if (node.selfSize > 0) stacks.push({ frames, values: [node.selfSize] })
    for (const child of node.children) visit(child, frames)
  }
  for (const child of root.children) visit(child, [])
  return stacks
}
