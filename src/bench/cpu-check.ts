import type { Group } from './group.ts'
import { kernelCpuMs } from './usage.ts'

/** What the two accounts of one process may differ by: both are read at nearly the same time. */
const maxDifference = 0.1
const timeoutMs = 20_000

/**
 * Asks every process what CPU it has used by its own account, and says of which sides that is not what the kernel says:
 * the process that was started is then not the one that worked.
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
      : [`${side}: CPU of ${mismatches} of ${peers.length} processes is not what they say themselves`]
  })
  return (await Promise.all(notes)).flat()
}

/** `own` and `kernel` in CPU milliseconds. */
export function isMismatch(ownMs: number, kernelMs: number): boolean {
  return Math.abs(ownMs - kernelMs) > maxDifference * kernelMs
}
