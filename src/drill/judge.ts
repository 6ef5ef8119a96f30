import type { Clock } from '../core/machine.ts'
import { rejectOnAbort } from '../processes/waiting.ts'
import { badResult, type DrillResult, okResult, seconds } from './result.ts'
import { pause, pollMs } from './waiting.ts'

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

export interface JudgeOptions {
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
    results.push(...which.map((one) => badResult(verdict, one, why)))
    remaining = remaining.filter((one) => !which.includes(one))
  }
  try {
    conclude(
      'not shown',
      await findActive(remaining, options),
      'it is firing already; drill again when it has resolved',
    )
    if (remaining.length === 0) return results
    await rejectOnAbort(condition.prepare(), options.signal)
    conclude('failed', await findActive(remaining, options), 'it fired before its cause')
    if (remaining.length === 0) return results
    isCaused = true
    const fired = await causeAndWatch(remaining, condition, options)
    await rejectOnAbort(condition.heal(), options.signal)
    isCaused = false
    return [...results, ...(await Promise.all(fired.map((one) => judgeEnd(one, options))))]
  } catch (error) {
    conclude('not shown', remaining, options.signal.aborted ? 'interrupted' : messageOf(error))
    // After an interrupt the caller stops all processes anyway.
    if (isCaused && !options.signal.aborted) await rejectOnAbort(condition.heal(), options.signal).catch(() => {})
    return results
  }
}

async function findActive(
  watched: readonly WatchedAlert[],
  { signal }: JudgeOptions,
): Promise<readonly WatchedAlert[]> {
  const states = await rejectOnAbort(Promise.all(watched.map((one) => one.state())), signal)
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
    const state = await rejectOnAbort(watched.state(), signal)
    const at = causedAt()
    isSuppressed ||= state === 'suppressed'
    const afterMs = at === undefined ? undefined : Math.round(clock.now() - at)
    if (state === 'firing') {
      if (afterMs !== undefined) log(`${watched.alert} fired after ${seconds(afterMs)}`)
      const traces = await rejectOnAbort(watched.links(), signal)
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
  if (isEarly) return badResult('failed', watched, 'it fired before its cause')
  if (afterMs === undefined) {
    if (isSuppressed) return badResult('not shown', watched, 'a silence, or an alert about the pipeline, suppresses it')
    return badResult('failed', watched, `it did not fire within ${patience} times its stated time`)
  }
  const endedAfterMs = await watchEnd(watched, options)
  if (endedAfterMs === null) {
    return badResult('failed', watched, `it did not resolve within ${seconds(endMs)}`, {
      firedAfterMs: afterMs,
      traces,
    })
  }
  const times = { firedAfterMs: afterMs, endedAfterMs, traces }
  return afterMs <= statedMs ? okResult(watched, times) : badResult('failed', watched, 'it fired too late', times)
}

/** Milliseconds until the alert resolves; null when it does not. */
async function watchEnd(watched: WatchedAlert, { clock, signal, log }: JudgeOptions): Promise<number | null> {
  const { alert, endMs } = watched
  const startedAt = clock.now()
  for (;;) {
    const state = await rejectOnAbort(watched.state(), signal)
    const afterMs = Math.round(clock.now() - startedAt)
    if (state === 'inactive') {
      log(`${alert} resolved ${seconds(afterMs)} after the healing`)
      return afterMs
    }
    if (afterMs > endMs) return null
    await pause(clock, pollMs, signal)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
