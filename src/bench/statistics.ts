import { median, quantile, sampleWithReplacement } from 'simple-statistics'
import type { Random } from '../core/machine.ts'
import { seededRandom } from '../testing/random.ts'

/** What a series of measurements was, one number per round. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/**
 * How one side compares with the one it was measured beside. `median` is the ratio of the two medians, `min` and `max`
 * are those of single rounds: the range.
 */
export interface Ratio extends Spread {
  readonly pairs: number
  /** Percentile bootstrap over the pairs, 95 %: what a claim has to lie in. Undefined below `pairsLeast`. */
  readonly low: number | undefined
  readonly high: number | undefined
}

const resamples = 10_000
const confidence = 0.95
/** All of n measurements lie on one side of the true median once in 2^(n-1): below six that is more than 5 %. */
export const minPairs = 6

/** Undefined when there is nothing, or something that is no number. */
export function spreadOf(numbers: readonly number[]): Spread | undefined {
  if (numbers.length === 0 || !numbers.every(Number.isFinite)) return undefined
  return { median: median([...numbers]), min: Math.min(...numbers), max: Math.max(...numbers) }
}

/**
 * The ratio of two series that were measured in pairs, which stay together when they are drawn again: what the machine
 * did to one it did to the other. Undefined when there is no pair, or one of them has no ratio. `seed` draws.
 */
export function ratioOf(ours: readonly number[], theirs: readonly number[], seed: number): Ratio | undefined {
  const pairs = ours.map((one, i): Pair => [one, theirs[i] ?? Number.NaN])
  const range = spreadOf(pairs.map(([one, other]) => one / other))
  if (range === undefined) return undefined
  const interval = pairs.length < minPairs ? undefined : bootstrap(pairs, seededRandom(seed))
  const tail = (1 - confidence) / 2
  const at = (share: number) => (interval === undefined ? undefined : quantile(interval, share))
  return { pairs: pairs.length, ...range, median: ratioOfMedians(pairs), low: at(tail), high: at(1 - tail) }
}

/** Of latencies: NaN when there are none. */
export function percentile(numbers: readonly number[], share: number): number {
  return numbers.length === 0 ? Number.NaN : quantile([...numbers], share)
}

type Pair = readonly [number, number]

function ratioOfMedians(pairs: readonly Pair[]): number {
  return median(pairs.map(([one]) => one)) / median(pairs.map(([, other]) => other))
}

function bootstrap(pairs: Pair[], random: Random): number[] {
  return Array.from({ length: resamples }, () => ratioOfMedians(sampleWithReplacement(pairs, pairs.length, random)))
}
