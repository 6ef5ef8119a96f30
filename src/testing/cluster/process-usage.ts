import { readFile } from 'node:fs/promises'
import { type Usage as BaseUsage, mebibytesOf, usageOf } from '../../lab/process-usage.ts'

export interface Usage extends BaseUsage {
  /** Proportional set size: resident, with shared pages divided among their processes, in MiB. */
  readonly pssMb: number
  /** Milliseconds that its main thread was runnable and waited for a processor; 0 where the kernel does not count them. */
  readonly waitedMs: number
}

/** Resource usage of a process so far, from `/proc`: Linux only. Rejects if the process does not exist. */
export async function processUsage(pid: number): Promise<Usage> {
  const [usage, rollup, schedule] = await Promise.all([
    usageOf(pid),
    readFile(`/proc/${pid}/smaps_rollup`, 'utf8'),
    readFile(`/proc/${pid}/schedstat`, 'utf8').catch(() => '0 0 0'),
  ])
  if (usage === undefined) throw new Error(`no process ${pid}`)
  return { ...usage, pssMb: mebibytesOf(rollup, 'Pss'), waitedMs: Number(schedule.split(' ')[1]) / 1e6 }
}
