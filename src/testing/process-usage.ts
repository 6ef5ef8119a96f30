import { readFile } from 'node:fs/promises'

export interface Usage {
  /** User and system time since the start, of all threads; Linux counts it in steps of 10 ms. */
  readonly cpuMs: number
  /** Resident, in MiB. */
  readonly rssMb: number
  /** Resident, pages that are shared with other processes divided among them, in MiB. */
  readonly pssMb: number
}

/** `CLK_TCK` is 100 on every Linux that Node runs on. */
const msPerTick = 10

/** What a process has used so far, from `/proc`: Linux only. Rejects when there is no such process. */
export async function processUsage(pid: number): Promise<Usage> {
  const [stat, status, rollup] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/smaps_rollup`, 'utf8'),
  ])
  // The command's name stands in brackets and may hold spaces; the fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  return { cpuMs: ticks * msPerTick, rssMb: mebibytes(status, 'VmRSS'), pssMb: mebibytes(rollup, 'Pss') }
}

function mebibytes(text: string, field: string): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]
  if (kibibytes === undefined) throw new Error(`no ${field} in ${text.slice(0, 80)}`)
  return Number(kibibytes) / 1_024
}
