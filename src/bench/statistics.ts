import { median, quantile, sampleWithReplacement } from 'simple-statistics'
import type { Random } from '../core/machine.ts'
import { seededRandom } from '../testing/random.ts'

/** What a series of measurements was, one number per round. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** How one side compares with the one it was measured beside, round by round. */
export interface Ratio extends Spread {
  readonly pairs: number
  /** Percentile bootstrap over the pairs, 95 %: the interval that a claim has to lie in. */
  readonly low: number
  readonly high: number
}

const resamples = 10_000
const confidence = 0.95

/** Undefined when there is nothing, or something that is no number. */
export function spreadOf(numbers: readonly number[]): Spread | undefined {
  if (numbers.length === 0 || !numbers.every(Number.isFinite)) return undefined
  return { median: median([...numbers]), min: Math.min(...numbers), max: Math.max(...numbers) }
}

/**
 * Ratios of pairs that were measured next to each other: what the machine did to one it did to the other. Undefined
 * when there is no pair, or one of them has no ratio. `seed` draws the resamples.
 */
export function ratioOf(ours: readonly number[], theirs: readonly number[], seed: number): Ratio | undefined {
  const ratios = ours.map((one, i) => one / (theirs[i] ?? Number.NaN))
  const spread = spreadOf(ratios)
  if (spread === undefined) return undefined
  const medians = bootstrap(ratios, seededRandom(seed))
  const tail = (1 - confidence) / 2
  return { pairs: ratios.length, ...spread, low: quantile(medians, tail), high: quantile(medians, 1 - tail) }
}

/** Of latencies: NaN when there are none. */
export function percentile(numbers: readonly number[], share: number): number {
  return numbers.length === 0 ? Number.NaN : quantile([...numbers], share)
}

function bootstrap(ratios: number[], random: Random): number[] {
  return Array.from({ length: resamples }, () => median(sampleWithReplacement(ratios, ratios.length, random)))
}
