import { readFile } from 'node:fs/promises'

/** Memory use of a container, in MiB. */
export interface ContainerMemory {
  /** Working set at the last sample: usage without inactive file pages. */
  readonly workingMb: number
  /** The kernel's high-water mark, file pages included. */
  readonly peakMb: number
}

/** Files of the two versions of control groups. */
const versions = [
  {
    line: /^\d+:memory:(.*)$/m,
    mount: '/sys/fs/cgroup/memory',
    usage: 'memory.usage_in_bytes',
    peak: 'memory.max_usage_in_bytes',
    inactive: /^total_inactive_file (\d+)$/m,
  },
  {
    line: /^0::(.*)$/m,
    mount: '/sys/fs/cgroup',
    usage: 'memory.current',
    peak: 'memory.peak',
    inactive: /^inactive_file (\d+)$/m,
  },
] as const

/** Memory of the container of the process `pid` of this machine; undefined when the process has ended. */
export async function containerMemory(pid: number): Promise<ContainerMemory | undefined> {
  try {
    const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8')
    for (const { line, mount, usage, peak, inactive } of versions) {
      const path = line.exec(groups)?.[1]
      if (path === undefined || path === '/') continue
      const read = (name: string) => readFile(`${mount}${path}/${name}`, 'utf8')
      const [used, highest, stat] = await Promise.all([read(usage), read(peak), read('memory.stat')])
      const idle = Number(inactive.exec(stat)?.[1] ?? 0)
      return { workingMb: toMb(Number(used) - idle), peakMb: toMb(Number(highest)) }
    }
  } catch {
    // The process ended between two reads.
  }
  return undefined
}

function toMb(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}
