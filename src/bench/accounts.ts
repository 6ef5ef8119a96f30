import type { Group } from './group.ts'
import { kernelCpuMs } from './usage.ts'

/** What the two accounts of one process may differ by: both are read at nearly the same time. */
const differMost = 0.1
const answerMs = 20_000

/**
 * Asks every process what CPU it has used by its own account, and says of which sides that is not what the kernel says:
 * the process that was started is then not the one that worked.
 */
export async function differingAccounts(groups: readonly Group[]): Promise<string[]> {
  const notes = groups.map(async ({ side, peers }) => {
    const shares = await Promise.all(
      peers.map(async ({ pid, ask }) => {
        const [{ ms }, kernelMs] = [await ask({ do: 'cpu' }, 'cpu', answerMs), await kernelCpuMs(pid)]
        return differs(ms, kernelMs)
      }),
    )
    const off = shares.filter(Boolean).length
    return off === 0 ? [] : [`${side}: CPU of ${off} of ${peers.length} processes is not what they say themselves`]
  })
  return (await Promise.all(notes)).flat()
}

/** `own` and `kernel` in CPU milliseconds. */
export function differs(own: number, kernel: number): boolean {
  return Math.abs(own - kernel) > differMost * kernel
}
