import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { raceAbort } from '../kit/clock.ts'
import type { Usage } from '../testing/cluster/process-usage.ts'
import type { Group } from './group.ts'
import { percentile } from './statistics.ts'
import { machineUse } from './usage.ts'

/** A process to measure; `usage` comes from `/proc`. */
interface MeasuredProcess {
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

export interface Load {
  /** Index of the only publisher. */
  readonly publisher: number
  /** Messages per second. */
  readonly rate: number
  readonly bytes: number
  readonly seconds: number
  readonly signal: AbortSignal
}

/** Resource use of one side while one of its processes published. */
export interface LoadUse {
  /** From the first message to the arrival of the last; CPU counts until then. */
  readonly seconds: number
  /** CPU milliseconds of all processes. */
  readonly cpuMs: number
  /** Messages delivered to applications, and how many there should be: published times receivers. */
  readonly delivered: number
  readonly expected: number
  /** Messages received, duplicates included; undefined if a process does not count them. */
  readonly copies: number | undefined
  /** Milliseconds from publication to delivery, over all receivers. */
  readonly p50: number
  readonly p99: number
  readonly latencies: readonly number[]
  readonly rssMb: readonly number[]
  /** CPU ms/s of everything else on the machine, idle sides included. */
  readonly others: number
}

/** Poll interval and limit while the last messages arrive, milliseconds; and polls without one after which none will. */
const drain = { everyMs: 500, maxMs: 10_000, quietPolls: 6 }
/** Delay of the publisher after which the run fails, in milliseconds. */
const graceMs = 30_000

/** Lets one process publish at a steady rate and measures its side. */
export async function loadWindow(group: Group, { publisher, rate, bytes, seconds, signal }: Load): Promise<LoadUse> {
  const peer = group.peers[publisher]
  if (peer === undefined) throw new Error(`${group.side} has no process ${publisher}`)
  await group.counts()
  const [cpuBefore, machineBefore] = await Promise.all([group.cpuMs(), machineUse()])
  const startMs = performance.now()
  const count = Math.round(rate * seconds)
  await raceAbort(signal, peer.request({ do: 'publish', bytes, rate, count }, 'published', seconds * 1_000 + graceMs))
  const expected = count * (group.peers.length - 1)
  const counts = await drainCounts(group, expected, signal)
  const took = (performance.now() - startMs) / 1_000
  const [cpuAfter, machineAfter] = await Promise.all([group.cpuMs(), machineUse()])
  const usage = await group.usage()
  const cpuMs = cpuAfter - cpuBefore
  const latencies = counts.flatMap((one) => one.latencies)
  const copies = counts.map((one) => one.copies)
  return {
    seconds: took,
    cpuMs,
    delivered: total(counts.map(({ received }) => received)),
    expected,
    copies: copies.every((one) => one !== undefined) ? total(copies) : undefined,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    latencies,
    rssMb: usage.map(({ rssMb }) => rssMb),
    others: (machineAfter.busyMs - machineBefore.busyMs - cpuMs) / took,
  }
}

/** Polls counts until all messages have arrived or no more do: late messages are not lost. */
async function drainCounts(
  group: Group,
  expected: number,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<Group['counts']>>> {
  const deadline = performance.now() + drain.maxMs
  const all = []
  let received = 0
  let quietPolls = 0
  do {
    await sleep(drain.everyMs, undefined, { signal })
    const counts = await group.counts()
    const newCount = total(counts.map((one) => one.received))
    quietPolls = newCount > 0 ? 0 : quietPolls + 1
    received += newCount
    all.push(...counts)
  } while (received < expected && quietPolls < drain.quietPolls && performance.now() < deadline)
  return all
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0)
}
