/**
 * Scales a duration of a rule, such as `90s` or `5m`, but not below `atLeast`. Every duration of an expression goes
 * through it, so that a drill need not wait as long as an operator.
 */
export type Durations = (duration: string, atLeast?: string) => string

/** Seconds between two scrapes and between two evaluations of an urgent rule, as in `otel/prometheus.yml`. */
export const scrapeSeconds = 10
/** A rate needs two samples; of four scrapes one may be late and one missing. */
export const shortestWindow = `${4 * scrapeSeconds}s`

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** Throws RangeError unless `text` is a Prometheus duration with one unit. */
export function secondsOf(text: string): number {
  const match = /^(\d+)([smhd])$/.exec(text)
  const seconds = Number(match?.[1]) * (unitSeconds[match?.[2] ?? ''] ?? Number.NaN)
  if (seconds > 0) return seconds
  throw new RangeError(`"${text}" is not a valid duration; expected a whole number above 0 and s, m, h or d`)
}

/** `timeFactor` 1: as shipped; 0.1: a tenth of each. Throws RangeError unless 0 < `timeFactor` <= 1. */
export function durations(timeFactor: number): Durations {
  if (!(timeFactor > 0 && timeFactor <= 1)) {
    throw new RangeError(`timeFactor is ${timeFactor}; expected a number above 0 and at most 1`)
  }
  return (duration, atLeast = shortestWindow) => {
    const durationSeconds = secondsOf(duration)
    if (timeFactor === 1) return duration
    const seconds = Math.max(durationSeconds * timeFactor, Math.min(durationSeconds, secondsOf(atLeast)))
    return `${Math.ceil(seconds)}s`
  }
}
