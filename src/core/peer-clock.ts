/** Samples of a clock, and the least time between two of them, in milliseconds: those of one burst are one. Guess. */
const maxSamples = 3
const sampleIntervalMs = 10_000

interface Sample {
  readonly at: number
  /** When a digest was sent by its sender’s clock, less when it came by ours: the difference of the clocks less its way. */
  readonly skewMs: number
}

/** What is known of the clock of a peer. */
export interface PeerClock {
  /** Newest last. */
  samples: readonly Sample[]
  /** It was told to be off, and has not been right since. */
  isOff: boolean
}

/**
 * Takes one more sample: the skew in milliseconds when it is to be told, beyond `allowedMs` and not told since the clock
 * was right last.
 *
 * A digest that was under way for long, or waited here, looks as if its sender’s clock were behind; nothing makes it look
 * ahead. So the best sample is the nearest to the truth (as in a clock filter, RFC 5905 §10): one is enough to say that a
 * clock is ahead, that it is behind takes three in a row.
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
