import type { Evidence } from '../../doctor/evidence/evidence.ts'
import type { Instance } from '../../doctor/evidence/instance.ts'
import type { Point, Series } from '../../doctor/evidence/series.ts'
import type { Finding } from '../../doctor/finding.ts'
import { growthOf, partOf } from '../../doctor/judgement/growth.ts'
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
/** Rise per hour, as a multiple of the mean, from which a slope counts as a leak: a quarter of the mean in three minutes. */
const leastSlope = 5
/** Below this mean a count is too small for a relative slope. */
const leastMean = 16
/** One in a thousand by chance, each series by itself. */
const leastZ = 3.3

/** The steepest series, relative to its mean. */
export const largestSlope: Baseline = {
  name: 'largest slope',
  find: (evidence) =>
    highest(evidence, (points) => {
      const slope = slopeOf(points)
      return slope >= leastSlope ? slope : 0
    }),
}

/** The series with a significant trend, of several the steepest. */
export const mannKendallTrend: Baseline = {
  name: 'Mann-Kendall',
  find: (evidence) =>
    highest(evidence, (points) => {
      // A short series that rises at every step has no greater z.
      const possible = mannKendall(points.map((_, index) => index))
      return mannKendall(points.map(({ value }) => value)) >= Math.min(leastZ, possible) ? slopeOf(points) : 0
    }),
}

export const baselines: readonly Baseline[] = [largestSlope, mannKendallTrend]

function highest({ instances }: Evidence, scoreOf: (points: readonly Point[]) => number): Finding[] {
  let best: Candidate | undefined
  for (const instance of instances) {
    for (const [key, series] of instance.seriesOf('')) {
      // The last census is that of the stop, which has released everything.
      const points = series.points().slice(0, -1)
      if (isCounter(key) || points.length < leastPoints) continue
      const candidate = { instance, key, series, score: scoreOf(points) }
      if (candidate.score > (best?.score ?? 0)) best = candidate
    }
  }
  return best === undefined ? [] : [findingOf(best)]
}

/** Rise per hour over the mean. */
function slopeOf(points: readonly Point[]): number {
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0
  const mean = points.reduce((sum, { value }) => sum + Math.abs(value), 0) / points.length
  return ((last.value - first.value) / Math.max(leastMean, mean)) * (3_600_000 / (last.atMs - first.atMs))
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
