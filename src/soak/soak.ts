import { setInterval as intervals, setTimeout as sleep } from 'node:timers/promises'
import { diagnose } from '../doctor/diagnose.ts'
import type { Evidence } from '../doctor/evidence/evidence.ts'
import { StoreFollower } from '../doctor/report/follower.ts'
import { rules } from '../doctor/rules/all.ts'
import { churn, LifeCount } from './churn.ts'
import { compareCounts } from './counts.ts'
import { emitVerdict } from './emit-verdict.ts'
import { type SoakOptions, soakMs } from './flags.ts'
import { type MemoryBound, memoryBounds } from './memory-bounds.ts'
import { type Snapshot, SoakObserver } from './observer.ts'
import { startOwnLab } from './own-lab.ts'
import { makeReport, type SoakReport } from './report.ts'
import { findRunningMesh } from './running-mesh.ts'
import type { SoakTarget } from './target.ts'
import { judgeSoak } from './verdict.ts'

/** Spans from before the soak: the start of the nodes of a lab. */
const lookBackMs = 180_000
const progressMs = 10_000
/** For the last reading of a soak that ends early. */
const lastReadingMs = 20_000

export interface SoakRun {
  readonly log: (text: string) => void
  /** Ends it early; then it still reports. */
  readonly signal: AbortSignal
}

/**
 * Soaks a mesh: peers join, talk and leave, and the doctor says from the traces whether something stays.
 *
 * @throws MESH_LAB_REFUSED without a lab, MESH_TRACES_* or MESH_SPANS_ABSENT without traces of a running mesh, and the
 * reason of the signal if it aborts before the churn begins.
 */
export async function runSoak(options: SoakOptions, run: SoakRun): Promise<SoakReport> {
  const { log, signal } = run
  const { against } = options
  const target =
    against === undefined ? await startOwnLab(options, log, signal) : await findRunningMesh({ ...options, against })
  try {
    return await soak(target, options, run)
  } finally {
    for (const problem of await target.close()) log(`at the end: ${problem}`)
  }
}

async function soak(target: SoakTarget, options: SoakOptions, { log, signal }: SoakRun): Promise<SoakReport> {
  const startedMs = Date.now()
  const watch = new StoreFollower({ url: target.traces, mesh: target.mesh, fromMs: startedMs - lookBackMs })
  if (options.against !== undefined) {
    const look = await watch.look(signal)
    if (look.state !== 'read') throw look.error
  }
  const observer = new SoakObserver(target, watch, log)
  log(`soak of ${target.what}: ${Math.round(soakMs(options) / 1_000)} s, ${options.rate} lives per second`)
  const count = new LifeCount()
  const ending = new AbortController()
  const during = AbortSignal.any([signal, ending.signal])
  const phase: Phase = { name: 'warm-up', startedMs, ms: options.warmUpMs }
  const beside = [observer.run(during), printProgress(phase, count, watch, log, during)]
  const readings: Readings = { churnMs: 0 }
  const disturbances: string[] = []
  try {
    await runPhases({ target, options, observer, count, phase, readings, signal: during })
  } catch (error) {
    if (!signal.aborted) disturbances.push(`the churn failed: ${String(error).slice(0, 300)}`)
  } finally {
    ending.abort()
    await Promise.all(beside)
  }
  if (signal.aborted) disturbances.push(`ended early, during ${phase.name}`)
  readings.after ??= await observer.snapshot(count, AbortSignal.timeout(lastReadingMs)).catch(() => undefined)
  const report = conclude({ target, options, startedMs, watch, count, readings, disturbances })
  await emitVerdict(target, report).catch((error: unknown) => log(`the verdict was not exported: ${error}`))
  return report
}

interface Phase {
  name: string
  startedMs: number
  ms: number
}

interface Readings {
  before?: Snapshot
  after?: Snapshot | undefined
  /** Length of the churn between them. */
  churnMs: number
}

interface Phases {
  readonly target: SoakTarget
  readonly options: SoakOptions
  readonly observer: SoakObserver
  readonly count: LifeCount
  readonly phase: Phase
  readonly readings: Readings
  readonly signal: AbortSignal
}

async function runPhases({ target, options, observer, count, phase, readings, signal }: Phases): Promise<void> {
  const enter = (name: string, ms: number) => Object.assign(phase, { name, ms, startedMs: Date.now() })
  const live = async (name: string, ms: number) => {
    enter(name, ms)
    await churn(target, { rate: options.rate, seconds: ms / 1_000 }, count, signal)
  }
  const rest = async (name: string) => {
    enter(name, options.settleMs)
    await sleep(options.settleMs, undefined, { signal })
  }
  await live('warm-up', options.warmUpMs)
  await rest('first rest')
  readings.before = await observer.snapshot(count, signal)
  try {
    await live('churn', options.forMs)
  } finally {
    readings.churnMs = Date.now() - phase.startedMs
  }
  await rest('last rest')
  readings.after = await observer.snapshot(count, signal)
}

async function printProgress(
  phase: Phase,
  count: LifeCount,
  watch: StoreFollower,
  log: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const _ of intervals(progressMs, undefined, { signal })) {
      const seconds = Math.round((Date.now() - phase.startedMs) / 1_000)
      const failed = count.failed === 0 ? '' : `, ${count.failed} failed`
      log(
        `${phase.name} ${seconds} s of ${Math.round(phase.ms / 1_000)}: ${count.lives} lives${failed}, ${watch.spans} spans read`,
      )
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

interface Conclusion {
  readonly target: SoakTarget
  readonly options: SoakOptions
  readonly startedMs: number
  readonly watch: StoreFollower
  readonly count: LifeCount
  readonly readings: Readings
  readonly disturbances: readonly string[]
}

function conclude({ target, options, startedMs, watch, count, readings, disturbances }: Conclusion): SoakReport {
  const evidence = watch.evidence()
  const diagnosis = diagnose(evidence, rules)
  const { before, after } = readings
  const lives = (after?.lives ?? count.lives) - (before?.lives ?? count.lives)
  const failed = (after?.failed ?? count.failed) - (before?.failed ?? count.failed)
  const counts = before && after ? compareCounts(before.reading, after.reading, lives, options.settleMs) : []
  const memory = before && after ? boundsBetween(evidence, before, after, count) : []
  const basis = {
    diagnosis,
    counts,
    memory,
    lives,
    failed,
    within: options.within,
    disturbances: [...disturbances, ...endedProcesses(before, after)],
  }
  const judgement = judgeSoak(basis)
  const { churnMs } = readings
  const { failures } = count
  return makeReport({ target, options, startedMs, churnMs, basis, judgement, failures, spans: watch.spans })
}

function boundsBetween({ instances }: Evidence, before: Snapshot, after: Snapshot, count: LifeCount): MemoryBound[] {
  const keys = after.reading.processes.map(({ instance }) => instance)
  const there = before.reading.processes.filter(({ instance }) => keys.includes(instance))
  const lives = [...count.series.points(), count.series.last]
  return instances
    .filter(({ key }) => there.some(({ instance }) => instance === key))
    .flatMap((instance) => memoryBounds(instance, lives, before.reading.atMs))
}

function endedProcesses(before: Snapshot | undefined, after: Snapshot | undefined): string[] {
  if (before === undefined || after === undefined) return []
  const keys = after.reading.processes.map(({ instance }) => instance)
  const ended = before.reading.processes.filter(({ instance }) => !keys.includes(instance))
  return ended.map(({ node }) => `${node} ended, restarted or fell silent between the readings`)
}
