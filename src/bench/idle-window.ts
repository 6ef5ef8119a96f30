import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Usage } from '../testing/cluster/process-usage.ts'
import { machineUse } from './usage.ts'

/** A process to measure; `usage` comes from `/proc`. */
export interface MeasuredProcess {
  readonly pid: number
  usage(): Promise<Usage>
}

/** Resource use of the processes of one side in one window. */
export interface SideUse {
  /** CPU milliseconds per second, one number per process. */
  readonly cpu: readonly number[]
  /** MiB at the end, one number per process. */
  readonly rss: readonly number[]
  readonly pss: readonly number[]
}

export interface WindowUse {
  readonly seconds: number
  readonly sides: Readonly<Record<string, SideUse>>
  /** CPU use of everything else on the machine, in milliseconds per second; 1,000 is one full core. */
  readonly others: number
  readonly load: number
}

/** Measures every process for `ms`: all sides in the same window, so that the same conditions apply. */
export async function idleWindow(
  sides: Readonly<Record<string, readonly MeasuredProcess[]>>,
  ms: number,
  signal: AbortSignal,
): Promise<WindowUse> {
  const before = await readAll(sides)
  const machine = await machineUse()
  const startMs = performance.now()
  await sleep(ms, undefined, { signal })
  const seconds = (performance.now() - startMs) / 1_000
  const after = await readAll(sides)
  const busy = (await machineUse()).busyMs - machine.busyMs
  const usage: Record<string, SideUse> = {}
  let ours = 0
  for (const [side, ends] of Object.entries(after)) {
    const cpu = ends.map((end, i) => (end.cpuMs - (before[side]?.[i]?.cpuMs ?? 0)) / seconds)
    ours += cpu.reduce((sum, one) => sum + one, 0)
    usage[side] = { cpu, rss: ends.map(({ rssMb }) => rssMb), pss: ends.map(({ pssMb }) => pssMb) }
  }
  return { seconds, sides: usage, others: busy / seconds - ours, load: loadavg()[0] ?? 0 }
}

async function readAll(sides: Readonly<Record<string, readonly MeasuredProcess[]>>): Promise<Record<string, Usage[]>> {
  const read = async ([side, processes]: [string, readonly MeasuredProcess[]]) =>
    [side, await Promise.all(processes.map((one) => one.usage()))] as const
  return Object.fromEntries(await Promise.all(Object.entries(sides).map(read)))
}
