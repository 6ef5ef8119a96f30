import { linearRegression, quantile, sampleWithReplacement } from 'simple-statistics'
import { seededRandom } from '../../testing/random.ts'

/** Something measured after so many events. */
export type Point = readonly [events: number, value: number]

/** Growth by least squares. */
export interface Growth {
  readonly perEvent: number
  /** 95 % bounds, percentile bootstrap over the points; undefined below `minPoints`. */
  readonly low: number | undefined
  readonly high: number | undefined
  readonly points: number
}

const resamples = 10_000
const tail = 0.05
/** Fewer points say little about their own scatter. Guess. */
export const minPoints = 8

/** Undefined below two points. Each bound holds with 95 %. `seed` seeds the resampling. */
export function growthOf(points: readonly Point[], seed: number): Growth | undefined {
  if (points.length < 2) return undefined
  const perEvent = slopeOf(points)
  if (points.length < minPoints) return { perEvent, low: undefined, high: undefined, points: points.length }
  const random = seededRandom(seed)
  const slopes = Array.from({ length: resamples }, () =>
    slopeOf(sampleWithReplacement([...points], points.length, random)),
  ).filter(Number.isFinite)
  return { perEvent, low: quantile(slopes, tail), high: quantile(slopes, 1 - tail), points: points.length }
}

function slopeOf(points: readonly Point[]): number {
  return linearRegression(points.map(([events, value]) => [events, value])).m
}
