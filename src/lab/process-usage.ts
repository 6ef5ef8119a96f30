import { readFile } from 'node:fs/promises'

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

/** Parsers of `/proc` files. */

/** `CLK_TCK` is 100 on every Linux that Node runs on. */
export const msPerTick = 10

/** User and system milliseconds since the start, of all threads, in steps of 10 ms; out of `/proc/PID/stat`. */
export function cpuMsOf(stat: string): number {
  // The command name is in brackets and may contain spaces; the fields are counted after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * msPerTick
}

/** MiB of a field given in kB, as in `/proc/PID/status` and `smaps_rollup`. @throws Error when it is missing. */
export function mebibytesOf(text: string, field: string): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]
  if (kibibytes === undefined) throw new Error(`no ${field} in ${text.slice(0, 80)}`)
  return Number(kibibytes) / 1_024
}
