import type { HeapProfiler, Runtime } from 'node:inspector'
import type { Session } from 'node:inspector/promises'
import { MeshError } from '../core/errors.ts'

/** A sampled stack, innermost frame first, with one value of each type. */
export interface Stack {
  readonly frames: readonly Runtime.CallFrame[]
  readonly values: readonly number[]
}

let recording: { readonly kind: string; readonly seconds: number } | undefined

/**
 * Reserves V8's profilers, of which a process has one each: two recordings would measure, or end, each other. Returns
 * the release. Throws MESH_PROFILE_RUNNING while another recording runs.
 */
export function reserveProfiler(kind: string, seconds: number): () => void {
  if (recording !== undefined) throw new MeshError('MESH_PROFILE_RUNNING', recording)
  const own = { kind, seconds }
  recording = own
  return () => {
    if (recording === own) recording = undefined
  }
}

/** Average sampling interval in bytes. An idle node retains so little that 32 KiB would show nothing. */
export const intervalBytes = 4_096

/** Node's types lack some of V8's options. */
interface SamplingOptions extends HeapProfiler.StartSamplingParameterType {
  readonly includeObjectsCollectedByMajorGC?: boolean
  readonly includeObjectsCollectedByMinorGC?: boolean
}

/**
 * Samples allocations. The returned function ends that, and returns each stack with the bytes that it allocated and
 * that are still in use, or with `all` those collected since, too.
 */
export async function sampleHeap(session: Session, all = false): Promise<() => Promise<Stack[]>> {
  const options: SamplingOptions = {
    samplingInterval: intervalBytes,
    includeObjectsCollectedByMajorGC: all,
    includeObjectsCollectedByMinorGC: all,
  }
  await session.post('HeapProfiler.enable')
  await session.post('HeapProfiler.startSampling', options)
  return async () => heapStacks((await session.post('HeapProfiler.stopSampling')).profile.head)
}

/** V8 collects garbage first, and scales up the samples. */
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
