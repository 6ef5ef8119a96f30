import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventStep, runCrowd } from '../../soak/lives/crowd.ts'
import type { BenchContext } from '../bench.ts'
import type { EventOf, PeerProcess } from '../peer-process.ts'
import { reference } from '../sides.ts'
import { percentile } from '../statistics.ts'
import { machineUse } from '../usage.ts'
import { type LoadUse, loadWindow } from '../windows.ts'
import { type Growth, growthOf, type Point } from './growth.ts'
import { type ChurnSide, hubIndex, publisherIndex, startChurnSetup } from './setup.ts'

export interface ChurnOptions {
  /** Lives at ours, a multiple of `eventStep`; stock has a sixth of them, which is enough to show what it keeps. */
  readonly events: number
  /** Lives that begin per second, at most; fewer on a machine that gets too busy. */
  readonly rate: number
  /** Lives between two readings. */
  readonly block: number
  /** Seconds without churn before each reading but the last. */
  readonly settle: number
  /** Seconds without churn before the last reading. */
  readonly rest: number
  /** Messages per second between the steady peers, and for how many seconds before the churn and after the rest. */
  readonly traffic: number
  readonly trafficSeconds: number
  readonly seed: number
  /** Whether to measure stock as well. */
  readonly stock: boolean
  /** Variables for the nodes of ours. */
  readonly env?: NodeJS.ProcessEnv
}

export const churnDefaults: ChurnOptions = {
  events: 10_050,
  rate: 8,
  block: 6 * eventStep,
  settle: 0,
  // Five staleness windows; and a peer that left just after a sweep of the peer store is in it for up to 180 s.
  rest: 200,
  traffic: 20,
  trafficSeconds: 30,
  seed: 1,
  stock: true,
}

export type Held = EventOf<'held'>

/** One reading of a hub. */
export interface Reading {
  /** Lives so far. */
  readonly lives: number
  readonly held: Held
}

/** Messages between the steady peers, through the hub. */
export interface Traffic {
  readonly expected: number
  readonly delivered: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface ChurnSideReport {
  readonly lives: number
  readonly failed: number
  readonly failures: readonly string[]
  /** Lives that began per second. */
  readonly rate: number
  readonly hubCpuMsPerLife: number
  /** CPU of the load: of the processes of the lives. */
  readonly loadCpuMsPerLife: number
  /** Growth per life of the hub's floors after collections, in bytes. */
  readonly growth: { readonly [K in keyof Held['memory']]?: Growth }
  readonly first: Held
  readonly last: Held
  /** In the last reading: entries of departed peers, by table. */
  readonly departed: Readonly<Record<string, number>>
  /** Handles and descriptors that the last reading has more than the first. */
  readonly handles: Readonly<Record<string, number>>
  /** Before the first life; while the hub of the other side had churn; during churn; after the rest. */
  readonly traffic: { readonly [K in 'before' | 'beside' | 'during' | 'after']?: Traffic }
  readonly readings: readonly Reading[]
}

export interface ChurnReport {
  readonly bench: 'churn'
  readonly at: string
  readonly seconds: number
  readonly options: ChurnOptions
  /** Share of all cores that was busy while peers came and went: the median and the largest of the blocks. */
  readonly busy: { readonly median: number; readonly max: number }
  readonly sides: Readonly<Record<string, ChurnSideReport>>
}

/** With more of all cores busy, queueing is measured. */
const maxBusy = 0.6
/** A block slows the next down by no more than this factor, and never speeds up. */
const slowest = 0.5
const trafficBytes = 64
/** Lives before the first reading: they load code and fill caches. */
const warmUp = eventStep
/** Share of all lives before the readings that count for the growth: a hub's heap levels off after some 1,400. */
const warmShare = 1 / 6
const heldLimitMs = 60_000
/** Time limit of a run: this factor of its estimate, plus a minute for a busy machine. */
const patience = { factor: 2, ms: 60_000 }
const shownFailures = 5

const stockShare = 1 / 6

/** Estimated seconds of a run. */
export function churnSeconds({ events, rate, settle, rest, stock, block, trafficSeconds }: ChurnOptions): number {
  const sides = stock ? 2 : 1
  const blocks = Math.ceil(events / block)
  const lives = sides * warmUp + events * (stock ? 1 + stockShare : 1)
  return 40 + rest + lives / rate + sides * (2 * trafficSeconds + blocks * (2.5 + settle))
}

/** Lives of a side in a block: whole processes. */
function livesInBlock(side: ChurnSide, events: number): number {
  if (side.name !== reference) return events
  return Math.max(1, Math.round((events * stockShare) / eventStep)) * eventStep
}

/** State of one side during a run. */
interface Running {
  readonly side: ChurnSide
  readonly hub: PeerProcess
  readonly readings: Reading[]
  readonly traffic: { readonly [K in 'before' | 'beside' | 'during' | 'after']: LoadUse[] }
  lives: number
  failed: number
  failures: string[]
  churnSeconds: number
  churnedAt: number
  cpuMs: number
  loadCpuMs: number
}

/**
 * Lets short-lived peers come and go at one hub per side, in turns, and reads what each hub holds after it has rested
 * during the turn of the other.
 */
export async function runChurn(options: ChurnOptions, context: BenchContext): Promise<ChurnReport> {
  const at = new Date().toISOString()
  const startMs = performance.now()
  const { progress } = context
  const limitMs = Math.ceil(churnSeconds(options) * 1_000 * patience.factor) + patience.ms
  const timeout = AbortSignal.timeout(limitMs)
  const ended = new AbortController()
  // A step that fails also ends those that run beside it.
  const signal = AbortSignal.any([context.signal, timeout, ended.signal])
  await using resources = new AsyncDisposableStack()
  const setup = resources.use(await startChurnSetup({ env: options.env ?? {}, only: !options.stock }, signal))
  resources.defer(() => ended.abort(new Error('the run has ended')))
  const sides = setup.sides.map(runningSide)
  const everySide = async (step: (running: Running) => Promise<void>) => {
    for (const running of sides) await step(running)
  }
  const traffic = async (running: Running, kind: keyof Running['traffic'], seconds: number) => {
    const load = { publisher: publisherIndex, rate: options.traffic, bytes: trafficBytes, seconds, signal }
    running.traffic[kind].push(await loadWindow(running.side.group, load))
  }
  await everySide((running) => churn(running, warmUp, options.rate, signal))
  progress('warm')
  await everySide((running) => traffic(running, 'before', options.trafficSeconds))
  await everySide(read)
  const shares: number[] = []
  let { rate } = options
  const blocks = Math.ceil(options.events / options.block)
  for (let i = 0; i < blocks; i++) {
    const blockEvents = Math.min(options.block, options.events - i * options.block)
    for (const running of sides) {
      const events = livesInBlock(running.side, blockEvents)
      const others = sides.filter((one) => one !== running)
      if (i > 0) {
        const settledAt = running.churnedAt + options.settle * 1_000
        await sleep(Math.max(0, settledAt - performance.now()), undefined, { signal })
        await read(running)
      }
      const machine = await machineUse()
      const began = performance.now()
      const seconds = Math.ceil(events / rate)
      await Promise.all([
        churn(running, events, rate, signal),
        traffic(running, 'during', seconds),
        ...others.map((other) => traffic(other, 'beside', seconds)),
      ])
      const share = await busyShare(machine.busyMs, began)
      shares.push(share)
      if (share > maxBusy) rate = Math.max(rate * slowest, (rate * maxBusy) / share)
      progress(
        `${running.side.name}: ${running.lives} lives, ${Math.round(100 * share)} % busy, ${running.failed} failed`,
      )
    }
  }
  progress(`rest of ${options.rest} s`)
  await sleep(options.rest * 1_000, undefined, { signal })
  await everySide((running) => traffic(running, 'after', options.trafficSeconds))
  await everySide(read)
  const reports = sides.map((running) => [running.side.name, reportOf(running, options)] as const)
  return {
    bench: 'churn',
    at,
    seconds: Math.round((performance.now() - startMs) / 1_000),
    options,
    busy: { median: percentile(shares, 0.5), max: Math.max(...shares) },
    sides: Object.fromEntries(reports),
  }
}

function runningSide(side: ChurnSide): Running {
  const hub = side.group.peers[hubIndex]
  if (hub === undefined) throw new Error(`${side.name} has no hub`)
  const traffic = { before: [], beside: [], during: [], after: [] }
  return {
    side,
    hub,
    readings: [],
    traffic,
    lives: 0,
    failed: 0,
    failures: [],
    churnSeconds: 0,
    churnedAt: 0,
    cpuMs: 0,
    loadCpuMs: 0,
  }
}

async function churn(running: Running, events: number, rate: number, signal: AbortSignal): Promise<void> {
  const { side, hub } = running
  const cpuMs = await hub.cpuMs()
  const result = await runCrowd(side.crowd, { hub: hub.addresses, events, rate, signal })
  running.cpuMs += (await hub.cpuMs()) - cpuMs
  running.loadCpuMs += result.cpuMs
  running.lives += result.lives
  running.failed += result.failed
  running.failures = [...running.failures, ...result.failures].slice(0, shownFailures)
  running.churnSeconds += events / result.rate
  running.churnedAt = performance.now()
}

async function read({ hub, readings, lives }: Running): Promise<void> {
  const held = await hub.request({ do: 'held' }, 'held', heldLimitMs)
  readings.push({ lives, held })
}

/** Share of all cores that was busy since then. */
async function busyShare(busyMs: number, sinceMs: number): Promise<number> {
  const ms = (performance.now() - sinceMs) * availableParallelism()
  return ((await machineUse()).busyMs - busyMs) / ms
}

function reportOf(running: Running, options: ChurnOptions): ChurnSideReport {
  const { readings, traffic, lives, failed, failures } = running
  const [first, last] = [readings[0], readings.at(-1)]
  if (first === undefined || last === undefined) throw new Error('no reading')
  return {
    lives,
    failed,
    failures,
    rate: lives / running.churnSeconds,
    hubCpuMsPerLife: running.cpuMs / lives,
    loadCpuMsPerLife: running.loadCpuMs / lives,
    growth: growthFrom(running, options),
    first: first.held,
    last: last.held,
    departed: Object.fromEntries(
      last.held.tables.filter(({ departed }) => departed > 0).map(({ name, departed }) => [name, departed]),
    ),
    handles: surplus(first.held.handles, last.held.handles),
    traffic: Object.fromEntries(
      Object.entries(traffic).flatMap(([kind, uses]) => (uses.length === 0 ? [] : [[kind, trafficOf(uses)]])),
    ),
    readings,
  }
}

/**
 * Of the readings between blocks: each follows the same load and the same rest. The first readings do not count, until
 * bounded tables are full and V8 has feedback on what a life runs; nor does the last, after a longer rest.
 */
function growthFrom({ readings, lives }: Running, { seed }: ChurnOptions): ChurnSideReport['growth'] {
  const warmLives = lives * warmShare
  const steady = readings.slice(1, -1).filter(({ lives }) => lives >= warmLives)
  const growth = (['heapUsed', 'objects', 'compiled', 'external', 'native', 'rss'] as const).flatMap((kind) => {
    const grown = growthOf(
      steady.map(({ lives, held }): Point => [lives, held.memory[kind]]),
      seed,
    )
    return grown === undefined ? [] : [[kind, grown] as const]
  })
  return Object.fromEntries(growth)
}

function surplus(first: Held['handles'], last: Held['handles']): Readonly<Record<string, number>> {
  const grown = Object.entries(last).map(([kind, count]) => [kind, count - (first[kind] ?? 0)] as const)
  return Object.fromEntries(grown.filter(([, count]) => count > 0))
}

function trafficOf(uses: readonly LoadUse[]): Traffic {
  const total = (of: (use: LoadUse) => number) => uses.reduce((sum, use) => sum + of(use), 0)
  const latencies = uses.flatMap((use) => use.latencies)
  return {
    expected: total(({ expected }) => expected),
    delivered: total(({ delivered }) => delivered),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  }
}
