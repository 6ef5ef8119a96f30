import type { Clock } from '../core/machine.ts'
import { badResult, type DrillResult, okResult, seconds } from './result.ts'
import { lookMs, orAborted, pause } from './waiting.ts'

/** How one alert is seen by Alertmanager at one moment. `suppressed`: it rings, and silence or inhibition keeps it quiet. */
export type Look = 'silent' | 'rings' | 'suppressed'

/** One alert whose drill this is. */
export interface Watched {
  readonly alert: string
  readonly statedMs: number
  /** From the healing, within which it is to end. */
  readonly endMs: number
  look(): Promise<Look>
  /** Where the links of those that ring lead. */
  links(): Promise<readonly string[]>
}

/** What makes alerts ring, and what ends that. */
export interface Condition {
  /** Brings about what is there before: with this alone no alert may ring. */
  prepare(): Promise<void>
  /** Calls `caused` for each alert once the cause that its stated time counts from is there; at the latest at its end. */
  cause(caused: (alert: string) => void): Promise<void>
  heal(): Promise<void>
}

export interface JudgeOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly say: (text: string) => void
}

interface Firing {
  readonly watched: Watched
  readonly afterMs: number | undefined
  readonly early: boolean
  readonly suppressed: boolean
  readonly traces: readonly string[]
}

/** It is watched for longer than it may take: what rings too late is told with its time. */
const patience = 2

/**
 * Drills alerts that one condition makes ring: silent before, ringing within the stated time of the cause, ended after
 * the healing. Never rejects: what could not be done is `not shown`.
 */
export async function judge(
  all: readonly Watched[],
  condition: Condition,
  options: JudgeOptions,
): Promise<DrillResult[]> {
  const results: DrillResult[] = []
  let left = all
  let ill = false
  const settle = (verdict: 'failed' | 'not shown', which: readonly Watched[], why: string) => {
    results.push(...which.map((one) => badResult(verdict, one, why)))
    left = left.filter((one) => !which.includes(one))
  }
  try {
    settle('not shown', await ringing(left, options), 'it rings already; drill again when it has ended')
    if (left.length === 0) return results
    await orAborted(condition.prepare(), options.signal)
    settle('failed', await ringing(left, options), 'it rang before its cause')
    if (left.length === 0) return results
    ill = true
    const fired = await causeAndWatch(left, condition, options)
    await orAborted(condition.heal(), options.signal)
    ill = false
    return [...results, ...(await Promise.all(fired.map((one) => judgeEnd(one, options))))]
  } catch (error) {
    settle('not shown', left, options.signal.aborted ? 'interrupted' : messageOf(error))
    // Whoever interrupts ends everything anyway, and soon.
    if (ill && !options.signal.aborted) await orAborted(condition.heal(), options.signal).catch(() => {})
    return results
  }
}

async function ringing(watched: readonly Watched[], { signal }: JudgeOptions): Promise<readonly Watched[]> {
  const looks = await orAborted(Promise.all(watched.map((one) => one.look())), signal)
  return watched.filter((_, index) => looks[index] !== 'silent')
}

async function causeAndWatch(watched: readonly Watched[], condition: Condition, options: JudgeOptions) {
  const failing = new AbortController()
  const signal = AbortSignal.any([options.signal, failing.signal])
  const causedAt: Record<string, number> = {}
  const watching = watched.map((one) => watchFiring(one, () => causedAt[one.alert], { ...options, signal }))
  const causing = condition.cause((alert) => {
    if (!watched.some((one) => one.alert === alert) || causedAt[alert] !== undefined) return
    causedAt[alert] = options.clock.now()
    options.say(`the cause of ${alert} is there`)
  })
  causing.then(
    () => {
      const without = watched.find(({ alert }) => causedAt[alert] === undefined)
      if (without !== undefined) failing.abort(new Error(`the cause of ${without.alert} did not come about`))
    },
    (error: unknown) => failing.abort(error),
  )
  return Promise.all(watching)
}

async function watchFiring(
  watched: Watched,
  causedAt: () => number | undefined,
  options: JudgeOptions,
): Promise<Firing> {
  const { clock, signal, say } = options
  let suppressed = false
  for (;;) {
    const look = await orAborted(watched.look(), signal)
    const at = causedAt()
    suppressed ||= look === 'suppressed'
    const afterMs = at === undefined ? undefined : Math.round(clock.now() - at)
    if (look === 'rings') {
      if (afterMs !== undefined) say(`${watched.alert} rings after ${seconds(afterMs)}`)
      const traces = await orAborted(watched.links(), signal)
      return { watched, afterMs, early: afterMs === undefined, suppressed, traces }
    }
    if (afterMs !== undefined && afterMs > watched.statedMs * patience)
      return { watched, afterMs: undefined, early: false, suppressed, traces: [] }
    await pause(clock, lookMs, signal)
  }
}

async function judgeEnd(
  { watched, afterMs, early, suppressed, traces }: Firing,
  options: JudgeOptions,
): Promise<DrillResult> {
  const { statedMs, endMs } = watched
  if (early) return badResult('failed', watched, 'it rang before its cause')
  if (afterMs === undefined) {
    if (suppressed) return badResult('not shown', watched, 'a silence, or an alert about the pipeline, keeps it quiet')
    return badResult('failed', watched, `it did not ring within ${patience} times its stated time`)
  }
  const endedAfterMs = await watchEnd(watched, options)
  if (endedAfterMs === null) {
    return badResult('failed', watched, `it has not ended within ${seconds(endMs)}`, { firedAfterMs: afterMs, traces })
  }
  const drilled = { firedAfterMs: afterMs, endedAfterMs, traces }
  return afterMs <= statedMs ? okResult(watched, drilled) : badResult('failed', watched, 'it rang too late', drilled)
}

/** Milliseconds until it no longer rings; null when it goes on. */
async function watchEnd(watched: Watched, { clock, signal, say }: JudgeOptions): Promise<number | null> {
  const { alert, endMs } = watched
  const began = clock.now()
  for (;;) {
    const state = await orAborted(watched.look(), signal)
    const afterMs = Math.round(clock.now() - began)
    if (state === 'silent') {
      say(`${alert} ended ${seconds(afterMs)} after the healing`)
      return afterMs
    }
    if (afterMs > endMs) return null
    await pause(clock, lookMs, signal)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
