import type { DiseaseName } from '../diseases.ts'
import type { Instance } from '../evidence/instance.ts'
import type { Point } from '../evidence/series.ts'
import type { Finding } from '../finding.ts'
import { beyondLoad, growthOver, judgeGrowth, partOf, pointsOf, type Rise, valueAt } from './growth.ts'
import { connections, isOfLoad } from './load.ts'
import { scaleOutFactor } from './thresholds.ts'

/** A count of the census, and what of it is no leak. */
export interface Count {
  readonly key: string
  /** A line of a list, which is absent while there is nothing to count. */
  readonly isLine?: boolean
  /** Rise that churn alone does not make. */
  readonly least: number
  /** What each open connection may add. */
  readonly perConnection: number
  /** Attribute of the census that is counted in place of connections. */
  readonly load?: string
}

export type Limits = Pick<Count, 'least' | 'perConnection' | 'load'>

export interface CountedGrowth {
  readonly points: readonly Point[]
  readonly rise: Rise
  /** The rise is there, but over too few censuses. */
  readonly isShort: boolean
}

/**
 * Multiples of the least rise: a rise over three censuses is a hint from the first on, and a leak from the second on if
 * each half has enough of it, since spans in between may be lost.
 */
const [hintFactor, leakFactor, leastHalf] = [4, 6, 0.3]

/** How a count grows beyond the load; undefined if it does not. */
export function growthIn(instance: Instance, { key, isLine = false, ...limits }: Count): CountedGrowth | undefined {
  return growthOfPoints(instance, pointsOf(instance, key, isLine ? 'none' : 'unknown'), limits)
}

export function growthOfPoints(
  instance: Instance,
  points: readonly Point[],
  { least, perConnection, load }: Limits,
): CountedGrowth | undefined {
  const judgement = judgeGrowth(beyondLoad(instance, points, perConnection, load), least)
  if (judgement.is === 'level') return undefined
  const scaleOut = { ...connections, per: scaleOutFactor * perConnection }
  if (isOfLoad(instance, points, judgement.rise, [scaleOut])) return undefined
  const { rise } = judgement
  const total = rise.last.value - rise.since.value
  // Where connections go, what is beyond them rises although the count does not.
  if (valueAt(points, rise.last.atMs) - valueAt(points, rise.since.atMs) < least) return undefined
  if (judgement.is === 'rises') return { points, rise, isShort: false }
  if (total < hintFactor * least) return undefined
  const middle = valueAt(beyondLoad(instance, points, perConnection, load), (rise.since.atMs + rise.last.atMs) / 2)
  const half = (middle - rise.since.value) / total
  return { points, rise, isShort: total < leakFactor * least || half < leastHalf || half > 1 - leastHalf }
}

/** What a verdict says of a count that grows. */
export interface GrowthText {
  readonly disease: DiseaseName
  readonly part: string
  /** What is counted, as the subject of a sentence. */
  readonly what: string
  readonly unit: string
}

/** The finding about a count that grows: a trend, so at most likely. */
export function growthFinding(instance: Instance, found: CountedGrowth, text: GrowthText): Finding {
  const { points, rise, isShort } = found
  const growth = growthOver(instance, points, rise, text.unit)
  return {
    disease: text.disease,
    owner: partOf(instance, text.part),
    certainty: isShort ? 'insufficient' : 'likely',
    sinceMs: rise.since.atMs,
    summary: `${text.what} rose from ${growth.from} to ${growth.to}`,
    growth,
    proof: instance.censuses,
    ...(isShort && { missing: 'a longer window: it rose over three censuses' }),
  }
}
