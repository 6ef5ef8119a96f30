import { readFile } from 'node:fs/promises'
import { type Usage as BaseUsage, mebibytesOf, usageOf } from '../../lab/process-usage.ts'

export interface Usage extends BaseUsage {
  /** Proportional set size: resident, with shared pages divided among their processes, in MiB. */
  readonly pssMb: number
}

/** Resource usage of a process so far, from `/proc`: Linux only. Rejects if the process does not exist. */
export async function processUsage(pid: number): Promise<Usage> {
  const [usage, rollup] = await Promise.all([usageOf(pid), readFile(`/proc/${pid}/smaps_rollup`, 'utf8')])
  if (usage === undefined) throw new Error(`no process ${pid}`)
  return { ...usage, pssMb: mebibytesOf(rollup, 'Pss') }
}
