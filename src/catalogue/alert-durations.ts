/**
 * A duration of a rule as it is to be written, `90s` or `5m`; `atLeast` is what it may not be shortened below. Every
 * duration of an expression goes through it, so that a drill need not wait for what an operator waits for.
 */
export type Durations = (duration: string, atLeast?: string) => string

/** Seconds between two scrapes, and the longest between two evaluations of an urgent rule: as in `otel/prometheus.yml`. */
export const scrapeSeconds = 10
/** A window over fewer scrapes than four sees no rate: of two samples one may be late, and one may be missing. */
export const shortestWindow = `${4 * scrapeSeconds}s`

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** Throws RangeError for what is no duration of Prometheus with one unit. */
export function secondsOf(text: string): number {
  const match = /^(\d+)([smhd])$/.exec(text)
  const seconds = Number(match?.[1]) * (unitSeconds[match?.[2] ?? ''] ?? Number.NaN)
  if (seconds > 0) return seconds
  throw new RangeError(`"${text}" is no duration of a rule: a whole number above 0 and s, m, h or d`)
}

/** `timeFactor` 1: as shipped; 0.1: a tenth of each. Throws RangeError for a factor not above 0, or above 1. */
export function durations(timeFactor: number): Durations {
  if (!(timeFactor > 0 && timeFactor <= 1)) {
    throw new RangeError(`timeFactor is ${timeFactor}, and has to be above 0 and at most 1`)
  }
  return (duration, atLeast = shortestWindow) => {
    const durationSeconds = secondsOf(duration)
    if (timeFactor === 1) return duration
    const seconds = Math.max(durationSeconds * timeFactor, Math.min(durationSeconds, secondsOf(atLeast)))
    return `${Math.ceil(seconds)}s`
  }
}
