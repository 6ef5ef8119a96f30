import type { Group } from './group.ts'
import { kernelCpuMs } from './usage.ts'

/** Relative difference that is tolerated: the two figures are read at nearly the same time. */
const maxDifference = 0.1
const timeoutMs = 20_000

/**
 * Compares the CPU time that every process reports with the kernel's, and returns a note per side that differs: there
 * the started process is not the one that did the work.
 */
export async function findCpuMismatches(groups: readonly Group[]): Promise<string[]> {
  const notes = groups.map(async ({ side, peers }) => {
    const results = await Promise.all(
      peers.map(async ({ pid, request: ask }) => {
        const [{ ms }, kernelMs] = [await ask({ do: 'cpu' }, 'cpu', timeoutMs), await kernelCpuMs(pid)]
        return isMismatch(ms, kernelMs)
      }),
    )
    const mismatches = results.filter(Boolean).length
    return mismatches === 0
      ? []
      : [`${side}: ${mismatches} of ${peers.length} processes report another CPU time than the kernel`]
  })
  return (await Promise.all(notes)).flat()
}

/** `own` and `kernel` in CPU milliseconds. */
export function isMismatch(ownMs: number, kernelMs: number): boolean {
  return Math.abs(ownMs - kernelMs) > maxDifference * kernelMs
}
