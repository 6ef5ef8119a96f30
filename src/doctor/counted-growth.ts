import type { DiseaseName } from './diseases.ts'
import type { Instance } from './evidence/instance.ts'
import type { Point } from './evidence/series.ts'
import type { Finding } from './finding.ts'
import { beyondLoad, growthOver, judgeGrowth, partOf, pointsOf, type Rise } from './growth.ts'

/** A count of the census, and what of it is no leak. */
export interface Count {
  readonly key: string
  /** A line of a list, which is absent while there is nothing to count. */
  readonly isLine?: boolean
  /** Rise that churn alone does not make. */
  readonly least: number
  /** What each open connection may add. */
  readonly perConnection: number
}

export interface CountedGrowth {
  readonly points: readonly Point[]
  readonly rise: Rise
  /** The rise is there, but over too few censuses. */
  readonly isShort: boolean
}

/** So much more of a rise over three censuses is more than a load step of a small mesh. */
const shortFactor = 4

/** How a count grows beyond the load; undefined if it does not. */
export function growthIn(
  instance: Instance,
  { key, isLine = false, least, perConnection }: Count,
): CountedGrowth | undefined {
  return growthOfPoints(instance, pointsOf(instance, key, isLine), { least, perConnection })
}

export function growthOfPoints(
  instance: Instance,
  points: readonly Point[],
  { least, perConnection }: Pick<Count, 'least' | 'perConnection'>,
): CountedGrowth | undefined {
  const judgement = judgeGrowth(beyondLoad(instance, points, perConnection), least)
  if (judgement.is === 'level') return undefined
  const { rise } = judgement
  const isShort = judgement.is === 'short'
  if (isShort && rise.last.value - rise.since.value < shortFactor * least) return undefined
  return { points, rise, isShort }
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
