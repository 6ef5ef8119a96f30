import { readFile } from 'node:fs/promises'
import { cpuMsOf, mebibytesOf } from './proc.ts'

export interface Usage {
  /** User and system time since the start, of all threads; Linux counts it in steps of 10 ms. */
  readonly cpuMs: number
  /** Resident, MiB. */
  readonly rssMb: number
}

/** Memory and CPU of a process from `/proc`; undefined without `/proc` or without the process. */
export async function usageOf(pid: number): Promise<Usage | undefined> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
    ])
    return { cpuMs: cpuMsOf(stat), rssMb: Math.round(mebibytesOf(status, 'VmRSS') * 10) / 10 }
  } catch {
    return undefined
  }
}
