import type { Evidence } from '../../doctor/evidence/evidence.ts'
import type { Instance } from '../../doctor/evidence/instance.ts'
import type { Series } from '../../doctor/evidence/series.ts'
import type { Finding } from '../../doctor/finding.ts'
import { growthOf, partOf } from '../../doctor/growth.ts'
import { mannKendall } from './mann-kendall.ts'
import { classOf, isCounter } from './series-class.ts'

/** Names the one series of all that grows most by its measure, or nothing. */
export interface Baseline {
  readonly name: string
  find(evidence: Evidence): readonly Finding[]
}

interface Candidate {
  readonly instance: Instance
  readonly key: string
  readonly series: Series
  readonly score: number
}

const leastPoints = 4
/** Growth per hour, as a multiple of the first value, from which the slope counts as a leak. */
const leastSlope = 5
const leastRise = 16
/** One in a thousand by chance, each series by itself. */
const leastZ = 3.3

/** The steepest series: rise per hour over its first value. */
export const largestSlope: Baseline = {
  name: 'largest slope',
  find: (evidence) =>
    steepest(evidence, ({ rise, first, spanMs }) => {
      if (rise < leastRise || spanMs <= 0) return 0
      const slope = (rise / Math.max(16, Math.abs(first.value))) * (3_600_000 / spanMs)
      return slope >= leastSlope ? slope : 0
    }),
}

/** The series with the most significant trend, of equal ones the steepest. */
export const mannKendallTrend: Baseline = {
  name: 'Mann-Kendall',
  find: (evidence) =>
    steepest(evidence, (series) => {
      const z = mannKendall(series.points().map(({ value }) => value))
      const slope = series.rise / Math.max(1, Math.abs(series.first.value))
      return z >= Math.min(leastZ, mannKendall(series.points().map((_, index) => index))) ? z + slope / 1e6 : 0
    }),
}

export const baselines: readonly Baseline[] = [largestSlope, mannKendallTrend]

function steepest({ instances }: Evidence, score: (series: Series) => number): Finding[] {
  let best: Candidate | undefined
  for (const instance of instances) {
    for (const [key, series] of instance.seriesOf('')) {
      if (isCounter(key) || series.points().length < leastPoints) continue
      const candidate = { instance, key, series, score: score(series) }
      if (candidate.score > (best?.score ?? 0)) best = candidate
    }
  }
  return best === undefined ? [] : [findingOf(best)]
}

function findingOf({ instance, key, series }: Candidate): Finding {
  return {
    disease: classOf(key),
    owner: partOf(instance, key),
    certainty: 'likely',
    sinceMs: undefined,
    summary: `${key} rose from ${series.first.value} to ${series.last.value}`,
    growth: growthOf(series, 'entries', instance.churnEvents),
    proof: instance.censuses,
  }
}
