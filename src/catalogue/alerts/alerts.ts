import { connectionAlerts } from './connections.ts'
import { doctorAlerts } from './doctor.ts'
import { memberAlerts } from './members.ts'
import { nodeAlerts } from './nodes.ts'
import { pipelineAlerts } from './pipeline.ts'
import { durations, scrapeSeconds, secondsOf } from './promql.ts'
import { recordings, recordingsIn } from './recordings.ts'
import { registryAlerts } from './registries.ts'
import { seedAlerts } from './seeds.ts'
import { seriesAlerts } from './series.ts'
import { silenceAlerts } from './silence.ts'
import type { AlertDeclaration, AlertSpec } from './spec.ts'

export type { AlertSpec } from './spec.ts'

/** Every alert, declared once: rules, their tests, ALERTS.md and the drills derive from it. */
export const alerts = {
  ...seedAlerts,
  ...memberAlerts,
  ...silenceAlerts,
  ...connectionAlerts,
  ...registryAlerts,
  ...nodeAlerts,
  ...doctorAlerts,
  ...seriesAlerts,
  ...pipelineAlerts,
} as const satisfies Record<string, AlertDeclaration>

export type AlertName = keyof typeof alerts

export const alertNames = Object.keys(alerts) as readonly AlertName[]

export function alertOf(name: AlertName): AlertSpec {
  return { per: 'node', about: 'mesh', ...alerts[name] }
}

/** Seconds between two flushes of the Collector's span metrics, as in `otel/collector.yaml`. */
export const flushSeconds = 5
/** Seconds between evaluations. */
const everySeconds = { critical: scrapeSeconds, warning: 30 } as const
/** An alert is pending for at least one evaluation interval. */
const shortestFor = `${scrapeSeconds}s`

/** How often the rules of a severity are evaluated. */
export function evaluationInterval(severity: AlertSpec['severity'], timeFactor: number): string {
  return durations(timeFactor)(`${everySeconds[severity]}s`, shortestFor)
}

/** `for`, `keep_firing_for` and the evaluation interval of an alert, scaled by the time factor. */
export function timesOf(name: AlertName, timeFactor: number) {
  const { severity, forTime, forAtLeast = shortestFor, keepFiring } = alertOf(name)
  const d = durations(timeFactor)
  return {
    every: evaluationInterval(severity, timeFactor),
    ...(forTime !== undefined && { forTime: d(forTime, forAtLeast) }),
    ...(keepFiring !== undefined && { keepFiring: d(keepFiring, shortestFor) }),
  }
}

/**
 * Upper bound in milliseconds from the cause until the alert is active in Alertmanager. It is the sum of: the export of
 * the span; two flushes, since the Collector shows a new counter at 0 first; a scrape; the windows and the `for` of the
 * rule; an evaluation, and one of a recording rule in another group. Alertmanager then waits `group_wait` before it notifies.
 */
export function firesWithinMs(name: AlertName, timeFactor = 1): number {
  const { emitDelay, windowDelays, severity, expr } = alertOf(name)
  const { every, forTime } = timesOf(name, timeFactor)
  const d = durations(timeFactor)
  const elsewhere = recordingsIn(expr(d), d).some((recording) => recordings[recording].group !== severity)
  const windows = [...(windowDelays?.(d) ?? []), ...(elsewhere ? [`${scrapeSeconds}s`] : [])]
  const delaySeconds = [emitDelay, ...windows].reduce((sum, delay) => sum + (delay === '0s' ? 0 : secondsOf(delay)), 0)
  // The state of an alert changes at evaluations only.
  const evaluations = 1 + Math.ceil((forTime === undefined ? 0 : secondsOf(forTime)) / secondsOf(every))
  return (delaySeconds + 2 * flushSeconds + scrapeSeconds + evaluations * secondsOf(every)) * 1_000
}
