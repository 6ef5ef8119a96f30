import { type AlertName, alertOf, firesWithinMs, timesOf } from '../catalogue/alerts/alerts.ts'
import { secondsOf } from '../catalogue/alerts/promql.ts'
import { errorMessage } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import { systemClock } from '../kit/clock.ts'
import { DrillProcesses } from './drill-processes.ts'
import { type DrillResult, judge, resultOf, seconds, type WatchedAlert } from './judge.ts'
import { pause, type Scenario, type StackControl, type Stage, waitUntil } from './scenario.ts'
import { scenariosFor } from './scenarios.ts'
import { Alertmanager, type AlertRule, Prometheus } from './stack-api.ts'

export interface DrillOptions {
  readonly alerts: readonly AlertName[]
  readonly otlp: string
  readonly prometheus: string
  readonly alertmanager: string
  /** The time factor of the loaded rules. */
  readonly timeFactor: number
  /** Share of the minutes whose routine spans the drill's own nodes export; 1 by default. */
  readonly traceRoutine?: number
  /** Concurrent scenarios. */
  readonly atOnce: number
  /** Required for alerts about the pipeline: without it they are not shown. */
  readonly stack?: StackControl | undefined
  /** On abort the drill heals and stops everything, and unfinished alerts are not shown. */
  readonly signal: AbortSignal
  readonly log: (text: string) => void
  /** Receives each result as soon as it is available. */
  readonly onResult: (result: DrillResult) => void
}

/** A node emits its first census after 30 s and exports it within 15 s; three scrapes of it take 30 s more. */
const firstCensusMs = 180_000
/** Two flushes of the Collector, a scrape, and the 30 s resolution at which `MeshNodeSilent` detects a stop. */
const stopsVisibleMs = 60_000
/**
 * Time limit for an alert to resolve: `keep_firing_for` plus the range that has to run empty, at most some 2 h with the
 * shipped rules. The minimum is for shortened rules, since sweeps and censuses keep their intervals.
 */
const endMs = { shipped: 3 * 3_600_000, least: 180_000 }

interface Runner {
  readonly options: DrillOptions
  readonly clock: Clock
  readonly processes: DrillProcesses
  readonly alertmanager: Alertmanager
  readonly prometheus: Prometheus
}

/**
 * Drills alerts on a running stack with nodes of the drill's own. Throws MESH_STACK_UNREACHABLE before it starts a
 * node; after that every failure is a result.
 */
export async function runDrills(options: DrillOptions): Promise<readonly DrillResult[]> {
  const prometheus = new Prometheus(options.prometheus)
  const alertmanager = new Alertmanager(options.alertmanager)
  await alertmanager.check()
  const loaded = await prometheus.alertRules()
  const results: DrillResult[] = []
  const addResult = (result: DrillResult) => {
    results.push(result)
    options.onResult(result)
  }
  const mismatch = (alert: AlertName) => ruleMismatch(alert, loaded, options.timeFactor)
  for (const alert of options.alerts) {
    const why = mismatch(alert)
    if (why !== undefined) addResult(resultOf('not shown', statedTime(alert, options), why))
  }
  const alerts = options.alerts.filter((alert) => mismatch(alert) === undefined)
  if (alerts.length === 0) return results
  const { otlp, log, traceRoutine = 1 } = options
  const processes = new DrillProcesses({ otlp, traceRoutine, clock: systemClock, log })
  const runner = { options, clock: systemClock, processes, alertmanager, prometheus }
  const run = async (scenario: Scenario) => {
    for (const result of await runScenario(scenario, alerts, runner)) addResult(result)
  }
  try {
    const needed = scenariosFor(alerts)
    await sideBySide(
      needed.filter(({ holdsStack }) => holdsStack !== true),
      options.atOnce,
      run,
    )
    const stackScenarios = needed.filter(({ holdsStack }) => holdsStack === true)
    if (stackScenarios.length < needed.length && stackScenarios.length > 0 && options.stack !== undefined)
      await waitForStops(options)
    // Stack scenarios run alone: the spans of all meshes are late in them.
    for (const scenario of stackScenarios) await run(scenario)
  } finally {
    await processes.close()
  }
  return results
}

/** Why the stated time does not apply to the loaded rule; undefined when it applies. */
function ruleMismatch(alert: AlertName, loaded: readonly AlertRule[], timeFactor: number): string | undefined {
  const rule = loaded.find(({ name }) => name === alert)
  if (rule === undefined) return 'Prometheus has no rule for it'
  const { forTime } = timesOf(alert, timeFactor)
  const expected = forTime === undefined ? 0 : secondsOf(forTime)
  if (rule.duration === expected) return undefined
  return `the rule has for: ${rule.duration} s, not ${expected} s: it was made with another --time-factor`
}

async function runScenario(scenario: Scenario, all: readonly AlertName[], runner: Runner): Promise<DrillResult[]> {
  const { options } = runner
  const alerts = scenario.alerts.filter((alert) => all.includes(alert))
  const notShown = (why: string) => alerts.map((alert) => resultOf('not shown', statedTime(alert, options), why))
  if (scenario.holdsStack && options.stack === undefined) {
    return notShown('not run: it needs control of the services of the stack (--stack compose)')
  }
  if (options.signal.aborted) return notShown('interrupted')
  try {
    return await judgeScenario(scenario, alerts, runner)
  } catch (error) {
    return notShown(errorMessage(error))
  }
}

async function judgeScenario(scenario: Scenario, alerts: readonly AlertName[], runner: Runner): Promise<DrillResult[]> {
  const { options, clock, processes, prometheus } = runner
  const log = (text: string) => options.log(`${scenario.name}: ${text}`)
  log(scenario.description)
  const mesh = await processes.mesh(`drill-${scenario.name}`, scenario.size, scenario.seeded ?? true)
  const { signal, otlp, stack = noStack } = options
  const stage: Stage = {
    mesh,
    stack,
    otlp,
    clock,
    signal,
    waitUntilKnown: () => waitUntilKnown(mesh.id, mesh.nodes.length, runner),
    seriesLimit: () => prometheus.seriesLimit(),
  }
  try {
    const watched = alerts.map((alert) => watch(alert, mesh.id, runner))
    return await judge(watched, scenario.condition(stage), { clock, signal, log })
  } finally {
    await scenario.undo?.(stage).catch((error: unknown) => log(`UNDO FAILED: ${error}`))
    await mesh.close()
  }
}

/** Watches an alert of the drill's mesh, since other meshes may fire it; an alert about the pipeline has no mesh. */
function watch(alert: AlertName, mesh: string, { options, alertmanager }: Runner): WatchedAlert {
  const of = alertOf(alert).per === 'part' ? undefined : mesh
  return {
    ...statedTime(alert, options),
    endMs: Math.max(endMs.least, endMs.shipped * options.timeFactor),
    state: () => alertmanager.state(alert, of),
    links: () => alertmanager.links(alert, of),
  }
}

function statedTime(alert: AlertName, { timeFactor }: DrillOptions): { alert: AlertName; statedMs: number } {
  return { alert, statedMs: firesWithinMs(alert, timeFactor) }
}

function waitUntilKnown(mesh: string, count: number, { options, clock, prometheus }: Runner): Promise<void> {
  const step = `scraping all nodes of ${mesh}`
  const isKnown = async () => (await prometheus.knownNodes(mesh)).length >= count
  return waitUntil(isKnown, { step, limitMs: firstCensusMs, clock, signal: options.signal })
}

async function sideBySide(
  scenarios: readonly Scenario[],
  atOnce: number,
  run: (one: Scenario) => Promise<void>,
): Promise<void> {
  const waiting = [...scenarios]
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await run(next)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

/** Waits until Prometheus has the stops of the nodes: without them, a Collector outage would make the nodes silent. */
async function waitForStops({ signal, log }: DrillOptions): Promise<void> {
  log(`waiting ${seconds(stopsVisibleMs)} until Prometheus has the stops of the nodes`)
  await pause(systemClock, stopsVisibleMs, signal).catch(() => {})
}

/** For scenarios that do not control the stack. */
const noStack: StackControl = {
  stop: async () => {},
  start: async () => {},
}
