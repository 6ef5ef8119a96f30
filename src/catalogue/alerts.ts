import { durations, scrapeSeconds, secondsOf } from './alert-durations.ts'
import type { AlertSpec } from './alert-spec.ts'
import { connectionAlerts } from './alerts-connections.ts'
import { memberAlerts } from './alerts-members.ts'
import { nodeAlerts } from './alerts-nodes.ts'
import { pipelineAlerts } from './alerts-pipeline.ts'
import { registryAlerts } from './alerts-registries.ts'
import { seedAlerts } from './alerts-seeds.ts'
import { silenceAlerts } from './alerts-silence.ts'

export type { AlertSpec } from './alert-spec.ts'

/** Every alert, declared once: rules, their tests, the operators' page and the drills come from here. */
export const alerts = {
  ...seedAlerts,
  ...memberAlerts,
  ...silenceAlerts,
  ...connectionAlerts,
  ...registryAlerts,
  ...nodeAlerts,
  ...pipelineAlerts,
} as const satisfies Record<string, AlertSpec>

export type AlertName = keyof typeof alerts

export const alertNames = Object.keys(alerts) as readonly AlertName[]

/** A declaration, with its type widened for those that walk over all of them. */
export function alertOf(name: AlertName): AlertSpec {
  return alerts[name]
}

/** Seconds between two flushes of the Collector's span metrics: as in `otel/collector.yaml`. */
export const flushSeconds = 5
/** Seconds from one evaluation to the next. */
const everySeconds = { page: scrapeSeconds, warn: 30 } as const
/** An alert is not pending for less than an evaluation lasts. */
const shortestFor = `${scrapeSeconds}s`

/** Shortened as its rule's durations are: those of `for` and `keep_firing_for`, and the time between evaluations. */
export function timesOf(name: AlertName, timeFactor: number) {
  const { severity, forTime, keepFiring } = alertOf(name)
  const d = durations(timeFactor)
  return {
    every: d(`${everySeconds[severity]}s`, shortestFor),
    ...(forTime !== undefined && { forTime: d(forTime, shortestFor) }),
    ...(keepFiring !== undefined && { keepFiring: d(keepFiring, shortestFor) }),
  }
}

/**
 * Milliseconds from the cause until the alert is active in Alertmanager, at most. What it is made of: the span leaves its
 * node; the Collector shows a counter at 0 and, one flush later, what it is; a scrape; the rule's windows and its `for`;
 * an evaluation. Alertmanager then waits `group_wait` before it notifies.
 */
export function firesWithinMs(name: AlertName, timeFactor = 1): number {
  const { emitDelay: told, windowDelays: fills } = alertOf(name)
  const { every, forTime } = timesOf(name, timeFactor)
  const windows = fills?.(durations(timeFactor)) ?? []
  const delaySeconds = [told, ...windows].reduce((sum, delay) => sum + (delay === '0s' ? 0 : secondsOf(delay)), 0)
  // It is looked at again at evaluations only.
  const evaluations = 1 + Math.ceil((forTime === undefined ? 0 : secondsOf(forTime)) / secondsOf(every))
  return (delaySeconds + 2 * flushSeconds + scrapeSeconds + evaluations * secondsOf(every)) * 1_000
}
