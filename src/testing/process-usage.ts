import { readFile } from 'node:fs/promises'
import { mebibytesOf } from '../lab/proc.ts'
import { type Usage as Seen, usageOf } from '../lab/usage.ts'

export interface Usage extends Seen {
  /** Resident, pages that are shared with other processes divided among them, in MiB. */
  readonly pssMb: number
}

/** What a process has used so far, from `/proc`: Linux only. Rejects when there is no such process. */
export async function processUsage(pid: number): Promise<Usage> {
  const [usage, rollup] = await Promise.all([usageOf(pid), readFile(`/proc/${pid}/smaps_rollup`, 'utf8')])
  if (usage === undefined) throw new Error(`there is no process ${pid}`)
  return { ...usage, pssMb: mebibytesOf(rollup, 'Pss') }
}
