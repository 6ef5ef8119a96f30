import { median, quantile, sampleWithReplacement } from 'simple-statistics'
import type { Random } from '../core/machine.ts'
import { seededRandom } from '../testing/random.ts'

/** Spread of a series with one number per round. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/**
 * Ratio of one side to another, measured in the same rounds. `median` is the ratio of the two medians; `min` and `max`
 * are the range of the ratios of single rounds.
 */
export interface Ratio extends Spread {
  readonly pairs: number
  /** 95 % interval, percentile bootstrap over the pairs. Undefined below `minPairs`. */
  readonly low: number | undefined
  readonly high: number | undefined
}

const resamples = 10_000
const confidence = 0.95
/** All of n measurements lie on one side of the true median once in 2^(n-1): below six that is more than 5 %. */
export const minPairs = 6

/** Undefined for an empty series or one with a value that is not finite. */
export function spreadOf(numbers: readonly number[]): Spread | undefined {
  if (numbers.length === 0 || !numbers.every(Number.isFinite)) return undefined
  return { median: median([...numbers]), min: Math.min(...numbers), max: Math.max(...numbers) }
}

/** The spread of rounds that were all measured. Throws RangeError for anything else. */
export function measured(numbers: readonly number[]): Spread {
  const spread = spreadOf(numbers)
  if (spread === undefined) throw new RangeError(`not all measured: ${numbers.join()}`)
  return spread
}

/**
 * The ratio of two series measured in pairs. Resampling keeps pairs together, since the machine affected both alike.
 * Undefined if there is no pair, or a pair has no ratio. `seed` seeds the resampling.
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

/** Percentile of latencies; NaN if there are none. */
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
