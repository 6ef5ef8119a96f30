/** Number of samples, and their shortest interval in milliseconds, so that a burst counts as one sample. Guess. */
const maxSamples = 3
const sampleIntervalMs = 10_000

interface Sample {
  readonly at: number
  /** Send time by the sender’s clock less receipt time by the own clock: the clock offset less the latency. */
  readonly skewMs: number
}

/** Estimate of a peer's clock. */
export interface PeerClock {
  /** Newest last. */
  samples: readonly Sample[]
  /** The clock was reported as skewed and has not been within the limit since. */
  isOff: boolean
}

/**
 * Adds a sample. Returns the skew in milliseconds if it exceeds `allowedMs` and was not reported since the clock was
 * last within the limit.
 *
 * Latency makes the sender’s clock look behind, and nothing makes it look ahead. So the highest sample is the most
 * accurate (as in a clock filter, RFC 5905 §10): one sample proves that a clock is ahead; three in a row prove that it
 * is behind.
 */
export function judgeClock(clock: PeerClock, skewMs: number, allowedMs: number, now: number): number | undefined {
  clock.samples = withSample(clock.samples, { at: now, skewMs })
  const best = Math.max(...clock.samples.map((sample) => sample.skewMs))
  const wasOff = clock.isOff
  clock.isOff = best > allowedMs || (best < -allowedMs && clock.samples.length === maxSamples)
  return clock.isOff && !wasOff ? best : undefined
}

function withSample(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const last = samples.at(-1)
  if (last === undefined || sample.at - last.at >= sampleIntervalMs) return [...samples, sample].slice(-maxSamples)
  if (sample.skewMs <= last.skewMs) return samples
  return [...samples.slice(0, -1), { at: last.at, skewMs: sample.skewMs }]
}
