import type { HeapProfiler, Runtime } from 'node:inspector'
import type { Session } from 'node:inspector/promises'
import type { Recorded, Stack } from './pprof-file.ts'

/** Allocated between two looks at the stack, in bytes on average. An idle node keeps next to nothing: 32 KiB shows none. */
const everyBytes = 4_096

export async function startHeap(session: Session): Promise<() => Promise<Recorded>> {
  await session.post('HeapProfiler.enable')
  await session.post('HeapProfiler.startSampling', { samplingInterval: everyBytes })
  return async () => {
    const { profile } = await session.post('HeapProfiler.stopSampling')
    return { types: [['inuse_space', 'bytes']], period: everyBytes, stacks: heapStacks(profile.head) }
  }
}

/** Each stack with the bytes that it allocated and that live: V8 collects garbage first, and works out what it did not see. */
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
