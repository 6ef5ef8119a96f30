import { readdir, readFile } from 'node:fs/promises'
import { cpuMsOf, msPerTick } from '../lab/process-usage.ts'

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
export interface MachineUse {
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
