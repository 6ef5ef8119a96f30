import { readdir, readFile } from 'node:fs/promises'
import { cpuMsOf, msPerTick } from '../lab/process-usage.ts'
import type { Group } from './group.ts'

const nsPerMs = 1e6

/**
 * CPU milliseconds of a process since its start, all threads, by the kernel's accounting. Linux only.
 *
 * `stat` includes ended threads, in steps of 10 ms; `schedstat` covers live threads, in nanoseconds. Neither exceeds
 * the true value, so the higher one is closer.
 *
 * @throws Error if there is no such process.
 */
export async function kernelCpuMs(pid: number): Promise<number> {
  const [stat, threads] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), threadsMs(pid)])
  return Math.max(cpuMsOf(stat), threads)
}

/** Zero on a kernel without scheduler statistics. */
async function threadsMs(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`)
  const used = threads.map(async (thread) => {
    // A thread may end before the read.
    const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0')
    return Number(text.split(' ')[0]) / nsPerMs
  })
  return (await Promise.all(used)).reduce((sum, one) => sum + one, 0)
}

/** CPU use of the machine since boot. */
interface MachineUse {
  /** CPU milliseconds of all cores: user, nice, system, irq and softirq, in steps of 10 ms. */
  readonly busyMs: number
  /** CPU milliseconds that the hypervisor gave to other guests. */
  readonly stealMs: number
}

export async function machineUse(): Promise<MachineUse> {
  const [first = ''] = (await readFile('/proc/stat', 'utf8')).split('\n')
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = first.split(/\s+/).slice(1).map(Number)
  return { busyMs: (user + nice + system + irq + softirq) * msPerTick, stealMs: steal * msPerTick }
}

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
