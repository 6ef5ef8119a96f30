import { readFile } from 'node:fs/promises'

export interface Usage {
  /** User and system time since the start, of all threads; Linux counts it in steps of 10 ms. */
  readonly cpuMs: number
  /** Resident, MiB. */
  readonly rssMb: number
}

/** `CLK_TCK` is 100 on every Linux that Node runs on. */
const msPerTick = 10

/** What a process has used so far, from `/proc`; undefined where there is none, or no such process. */
export async function usageOf(pid: number): Promise<Usage | undefined> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
    ])
    // The command's name stands in brackets and may hold spaces; the fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]
    if (kib === undefined) return undefined
    return { cpuMs: (Number(fields[11]) + Number(fields[12])) * msPerTick, rssMb: Math.round(Number(kib) / 102.4) / 10 }
  } catch {
    return undefined
  }
}
