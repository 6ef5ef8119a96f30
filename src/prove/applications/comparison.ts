import { setTimeout as sleep } from 'node:timers/promises'
import { mean } from 'simple-statistics'
import { idleWindow, type MeasuredProcess, type WindowUse } from '../../bench/idle-window.ts'
import { type Ratio, ratioOf, type Spread, spreadOf } from '../../bench/statistics.ts'
import { startReceiver } from '../../testing/otlp/otlp-receiver.ts'
import type { ProofContext } from '../proof.ts'
import { plainEnvironment } from '../shell.ts'
import type { Application, Side } from './application.ts'
import { type ApplicationProcess, type Status, startApplication } from './application-process.ts'
import { type InstalledProgram, installProgram } from './installed.ts'

/** Length of the measurement; APPLICATION_SECONDS for a trial. */
export const secondsMeasured = Number(process.env['APPLICATION_SECONDS'] ?? 300)
const windows = 10
/** V8 optimizes and collects garbage after a start. */
const settleMs = Math.min(60_000, secondsMeasured * 200)
/** Time for messages in flight to arrive after the end of the work. */
const restMs = 5_000

/** Figures of one side, or of both. */
export interface SideFigures {
  readonly ends: readonly Status[]
  /** CPU milliseconds per second, and MiB: means over the processes of the side, one per window. */
  readonly cpu: Spread | undefined
  readonly rss: Spread | undefined
  readonly pss: Spread | undefined
  /** MiB resident of each process once the work rests and garbage is collected. */
  readonly restedRss: readonly number[]
  /** Milliseconds from the order to stop to the end of the process. */
  readonly exitMs: readonly number[]
}

export interface Comparison {
  readonly with: SideFigures
  readonly without: SideFigures
  /**
   * CPU of all processes in all windows, with to without. Ratios of single windows scatter by a fifth: V8 collects
   * garbage in another window on each side.
   */
  readonly cpuRatio: number
  /** The ratios of the windows, for their spread. */
  readonly cpuRatios: Ratio | undefined
  /**
   * MiB that the mesh adds, per process, after garbage collection: during the work, V8 releases 100 MiB at a moment of
   * its choice, and two sides that do so in different windows differ by that.
   */
  readonly rssAdded: number
  /** Spans that the mesh sent. */
  readonly spans: number
  /** Highest CPU of all other processes of the machine, in milliseconds per second. */
  readonly others: number
}

/** Runs an application with the mesh beside the same application without it, under the same load of the machine. */
export async function compareSides(
  application: Application,
  { progress, signal, seed }: ProofContext,
): Promise<Comparison> {
  await using resources = new AsyncDisposableStack()
  progress('packing and installing')
  const installed = resources.use(await installProgram(application.program, signal))
  const receiver = await startReceiver()
  resources.defer(() => receiver.close())
  const sides: Side[] = []
  for (const name of ['with', 'without'] as const) {
    const side = await startSide(name, application, installed, receiver.endpoint)
    sides.push(side)
    resources.defer(async () => {
      for (const one of side.processes) one.kill()
    })
  }
  for (const side of sides) await application.prepare?.(side)
  for (const one of sides.flatMap(({ processes }) => processes)) await one.request('work')
  progress(`both work; settling for ${settleMs / 1_000} s`)
  await sleep(settleMs, undefined, { signal })
  const uses: WindowUse[] = []
  for (let i = 1; i <= windows; i++) {
    const measured: Record<string, readonly MeasuredProcess[]> = Object.fromEntries(
      sides.map(({ name, processes }) => [name, processes]),
    )
    uses.push(await idleWindow(measured, (secondsMeasured * 1_000) / windows, signal))
    progress(`window ${i} of ${windows}: ${describeUse(uses.at(-1))}`)
  }
  return await finish(sides, uses, receiver.spans, seed, signal)
}

async function finish(sides: Side[], uses: WindowUse[], spans: readonly unknown[], seed: number, signal: AbortSignal) {
  for (const one of sides.flatMap(({ processes }) => processes)) await one.request('rest')
  await sleep(restMs, undefined, { signal })
  const figures = new Map<Side['name'], SideFigures>()
  for (const { name, processes } of sides) {
    const ends = await Promise.all(processes.map((one) => one.status()))
    await Promise.all(processes.map((one) => one.request('collect')))
    const restedUsage = await Promise.all(processes.map((one) => one.usage()))
    const exitMs = await Promise.all(processes.map((one) => one.stop()))
    const of = (use: (one: WindowUse) => readonly number[] | undefined) => spreadOf(uses.map((one) => meanOf(use(one))))
    figures.set(name, {
      ends,
      exitMs,
      cpu: of((one) => one.sides[name]?.cpu),
      rss: of((one) => one.sides[name]?.rss),
      pss: of((one) => one.sides[name]?.pss),
      restedRss: restedUsage.map(({ rssMb }) => rssMb),
    })
  }
  const [mesh, bare] = [figures.get('with'), figures.get('without')]
  if (mesh === undefined || bare === undefined) throw new Error('a side is missing')
  const cpuOf = (name: Side['name']) => uses.map((one) => meanOf(one.sides[name]?.cpu))
  return {
    with: mesh,
    without: bare,
    cpuRatio: meanOf(cpuOf('with')) / meanOf(cpuOf('without')),
    cpuRatios: ratioOf(cpuOf('with'), cpuOf('without'), seed),
    rssAdded: meanOf(mesh.restedRss) - meanOf(bare.restedRss),
    spans: spans.length,
    others: Math.max(...uses.map(({ others }) => others)),
  }
}

/** Starts the processes in sequence; each gets the addresses of those before it. */
async function startSide(
  name: Side['name'],
  application: Application,
  { directory, file }: InstalledProgram,
  otlp: string,
) {
  const group = `tm${process.pid}${name}`
  const processes: ApplicationProcess[] = []
  const pass = (command: string, parameters: object) => {
    for (const other of processes.slice(1)) other.request(command, parameters).catch(() => {})
  }
  for (let index = 0; index < application.processes; index++) {
    const direct = processes.map(({ addresses }) => addresses.find((one) => !/\/ws|p2p-circuit/.test(one)))
    const env = {
      ...plainEnvironment(),
      WITH_MESH: name === 'with' ? '1' : '0',
      GROUP: group,
      INDEX: String(index),
      RATE: String(application.rate),
      PEERS: direct.join(','),
      OTLP: otlp,
    }
    processes.push(await startApplication({ name: `${name} ${index}`, directory, file, env, pass }))
  }
  return { name, processes }
}

function meanOf(numbers: readonly number[] = []): number {
  return numbers.length === 0 ? Number.NaN : mean([...numbers])
}

function describeUse(use: WindowUse | undefined): string {
  return Object.entries(use?.sides ?? {})
    .map(([side, { cpu, rss }]) => `${side} ${meanOf(cpu).toFixed(1)} ms/s ${meanOf(rss).toFixed(0)} MiB`)
    .join(', ')
}
