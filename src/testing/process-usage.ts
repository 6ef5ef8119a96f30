import { readFile } from 'node:fs/promises'
import { cpuMsOf, mebibytesOf } from '../lab/proc.ts'

export interface Usage {
  /** User and system time since the start, of all threads; Linux counts it in steps of 10 ms. */
  readonly cpuMs: number
  /** Resident, in MiB. */
  readonly rssMb: number
  /** Resident, pages that are shared with other processes divided among them, in MiB. */
  readonly pssMb: number
}

/** What a process has used so far, from `/proc`: Linux only. Rejects when there is no such process. */
export async function processUsage(pid: number): Promise<Usage> {
  const [stat, status, rollup] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/smaps_rollup`, 'utf8'),
  ])
  return { cpuMs: cpuMsOf(stat), rssMb: mebibytesOf(status, 'VmRSS'), pssMb: mebibytesOf(rollup, 'Pss') }
}
