import { errorMessage } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import { raceAbort } from '../kit/clock.ts'
import { pause, pollMs } from './scenario.ts'

/** Result of the drill of one alert. Times are milliseconds; null: it did not happen. */
export interface DrillResult {
  readonly alert: string
  /** `not shown`: inconclusive: it was firing already, its cause could not be created, or the drill did not run. */
  readonly verdict: 'ok' | 'failed' | 'not shown'
  readonly ok: boolean
  /** Time limit for firing, with the time factor applied. */
  readonly statedMs: number
  /** From its cause until it is active in Alertmanager. */
  readonly firedAfterMs: number | null
  /** From the healing until it is not active in Alertmanager. */
  readonly endedAfterMs: number | null
  /** The `traces` links of the alerts that fired: Jaeger searches for their spans. */
  readonly traces: readonly string[]
  /** Empty when it is ok. */
  readonly why: string
}

const noTimes = { firedAfterMs: null, endedAfterMs: null, traces: [] }
type DrillTimes = Partial<Pick<DrillResult, 'firedAfterMs' | 'endedAfterMs' | 'traces'>>

/** `why` is empty for an alert that is ok. */
export function resultOf(
  verdict: DrillResult['verdict'],
  { alert, statedMs }: Pick<DrillResult, 'alert' | 'statedMs'>,
  why: string,
  times: DrillTimes = {},
): DrillResult {
  return { alert, verdict, ok: verdict === 'ok', statedMs, ...noTimes, ...times, why }
}

/** The result as one line of text. */
export function resultLine(result: DrillResult): string {
  const marks = { ok: 'ok ', failed: 'NOT', 'not shown': '?  ' }
  return `${marks[result.verdict]} ${result.alert.padEnd(26)} ${resultText(result)}`
}

export function resultText({ statedMs, firedAfterMs, endedAfterMs, why }: DrillResult): string {
  const fired = firedAfterMs === null ? 'did not fire' : `fired after ${seconds(firedAfterMs)}`
  const ended = endedAfterMs === null ? '' : `, resolved ${seconds(endedAfterMs)} after the healing`
  const reason = why === '' ? '' : `: ${why}`
  return `${fired} (stated ${seconds(statedMs)})${ended}${reason}`
}

export function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`
}

/** State of an alert in Alertmanager. `suppressed`: firing, but silenced or inhibited. */
export type AlertState = 'inactive' | 'firing' | 'suppressed'

/** One alert under drill. */
export interface WatchedAlert {
  readonly alert: string
  readonly statedMs: number
  /** Time limit from the healing until it resolves. */
  readonly endMs: number
  state(): Promise<AlertState>
  /** The `traces` links of the firing alerts. */
  links(): Promise<readonly string[]>
}

/** The condition that makes alerts fire. */
export interface Condition {
  /** Creates the healthy state, in which no alert may fire. */
  prepare(): Promise<void>
  /** Creates the causes and calls `caused` for each alert, at its end at the latest: stated times count from there. */
  cause(onCaused: (alert: string) => void): Promise<void>
  heal(): Promise<void>
}

interface JudgeOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly log: (text: string) => void
}

interface Firing {
  readonly watched: WatchedAlert
  readonly afterMs: number | undefined
  readonly isEarly: boolean
  readonly isSuppressed: boolean
  readonly traces: readonly string[]
}

/** Factor on the stated time for which the drill watches, so that it measures a late alert, too. */
const patience = 2

/**
 * Drills the alerts of one condition: inactive before, firing within the stated time after the cause, resolved after
 * the healing. Never rejects: a step that fails makes its alerts `not shown`.
 */
export async function judge(
  all: readonly WatchedAlert[],
  condition: Condition,
  options: JudgeOptions,
): Promise<DrillResult[]> {
  const results: DrillResult[] = []
  let remaining = all
  let isCaused = false
  const conclude = (verdict: 'failed' | 'not shown', which: readonly WatchedAlert[], why: string) => {
    results.push(...which.map((one) => resultOf(verdict, one, why)))
    remaining = remaining.filter((one) => !which.includes(one))
  }
  try {
    conclude(
      'not shown',
      await findActive(remaining, options),
      'it is firing already; drill again when it has resolved',
    )
    if (remaining.length === 0) return results
    await raceAbort(options.signal, condition.prepare())
    conclude('failed', await findActive(remaining, options), 'it fired before its cause')
    if (remaining.length === 0) return results
    isCaused = true
    const fired = await causeAndWatch(remaining, condition, options)
    await raceAbort(options.signal, condition.heal())
    isCaused = false
    return [...results, ...(await Promise.all(fired.map((one) => judgeEnd(one, options))))]
  } catch (error) {
    conclude('not shown', remaining, options.signal.aborted ? 'interrupted' : errorMessage(error))
    // After an interrupt the caller stops all processes anyway.
    if (isCaused && !options.signal.aborted) await raceAbort(options.signal, condition.heal()).catch(() => {})
    return results
  }
}

async function findActive(
  watched: readonly WatchedAlert[],
  { signal }: JudgeOptions,
): Promise<readonly WatchedAlert[]> {
  const states = await raceAbort(signal, Promise.all(watched.map((one) => one.state())))
  return watched.filter((_, index) => states[index] !== 'inactive')
}

async function causeAndWatch(watched: readonly WatchedAlert[], condition: Condition, options: JudgeOptions) {
  const failing = new AbortController()
  const signal = AbortSignal.any([options.signal, failing.signal])
  const causedAt: Record<string, number> = {}
  const watching = watched.map((one) => watchFiring(one, () => causedAt[one.alert], { ...options, signal }))
  const causing = condition.cause((alert) => {
    if (!watched.some((one) => one.alert === alert) || causedAt[alert] !== undefined) return
    causedAt[alert] = options.clock.now()
    options.log(`the cause of ${alert} has occurred`)
  })
  causing.then(
    () => {
      const uncaused = watched.find(({ alert }) => causedAt[alert] === undefined)
      if (uncaused !== undefined) failing.abort(new Error(`the cause of ${uncaused.alert} did not occur`))
    },
    (error: unknown) => failing.abort(error),
  )
  return Promise.all(watching)
}

async function watchFiring(
  watched: WatchedAlert,
  causedAt: () => number | undefined,
  options: JudgeOptions,
): Promise<Firing> {
  const { clock, signal, log } = options
  let isSuppressed = false
  for (;;) {
    const state = await raceAbort(signal, watched.state())
    const at = causedAt()
    isSuppressed ||= state === 'suppressed'
    const afterMs = at === undefined ? undefined : Math.round(clock.now() - at)
    if (state === 'firing') {
      if (afterMs !== undefined) log(`${watched.alert} fired after ${seconds(afterMs)}`)
      const traces = await raceAbort(signal, watched.links())
      return { watched, afterMs, isEarly: afterMs === undefined, isSuppressed, traces }
    }
    if (afterMs !== undefined && afterMs > watched.statedMs * patience)
      return { watched, afterMs: undefined, isEarly: false, isSuppressed, traces: [] }
    await pause(clock, pollMs, signal)
  }
}

async function judgeEnd(
  { watched, afterMs, isEarly, isSuppressed, traces }: Firing,
  options: JudgeOptions,
): Promise<DrillResult> {
  const { statedMs, endMs } = watched
  if (isEarly) return resultOf('failed', watched, 'it fired before its cause')
  if (afterMs === undefined) {
    if (isSuppressed) return resultOf('not shown', watched, 'a silence, or another alert of its node, suppresses it')
    return resultOf('failed', watched, `it did not fire within ${patience} times its stated time`)
  }
  const endedAfterMs = await watchEnd(watched, options)
  if (endedAfterMs === null) {
    return resultOf('failed', watched, `it did not resolve within ${seconds(endMs)}`, {
      firedAfterMs: afterMs,
      traces,
    })
  }
  const times = { firedAfterMs: afterMs, endedAfterMs, traces }
  return afterMs <= statedMs
    ? resultOf('ok', watched, '', times)
    : resultOf('failed', watched, 'it fired too late', times)
}

/** Milliseconds until the alert resolves; null when it does not. */
async function watchEnd(watched: WatchedAlert, { clock, signal, log }: JudgeOptions): Promise<number | null> {
  const { alert, endMs } = watched
  const startedAt = clock.now()
  for (;;) {
    const state = await raceAbort(signal, watched.state())
    const afterMs = Math.round(clock.now() - startedAt)
    if (state === 'inactive') {
      log(`${alert} resolved ${seconds(afterMs)} after the healing`)
      return afterMs
    }
    if (afterMs > endMs) return null
    await pause(clock, pollMs, signal)
  }
}
