import { type Ratio, ratioOf, type Spread, spreadOf } from './statistics.ts'

/** What was measured of one side in one round, by name; what could not be is left out. */
export type Metrics = Readonly<Record<string, number>>
/** All sides, measured next to each other. */
export type Round = Readonly<Record<string, Metrics>>

export interface Comparison {
  readonly sides: Readonly<Record<string, Readonly<Record<string, Spread>>>>
  /** Each side to the reference. */
  readonly ratios: Readonly<Record<string, Readonly<Record<string, Ratio>>>>
}

/** Sums up rounds: each side for itself, and as ratios to `reference`, round by round. `seed` draws the intervals. */
export function compare(rounds: readonly Round[], reference: string, seed: number): Comparison {
  const [first = {}] = rounds
  const names = Object.keys(first)
  const series = (side: string, metric: string) => rounds.map((round) => round[side]?.[metric] ?? Number.NaN)
  const byMetric = <T>(side: string, of: (metric: string) => T | undefined) =>
    Object.fromEntries(
      metricsOf(rounds, side).flatMap((metric) => {
        const value = of(metric)
        return value === undefined ? [] : [[metric, value] as const]
      }),
    )
  const sides = names.map((side) => [side, byMetric(side, (metric) => spreadOf(series(side, metric)))] as const)
  const ratios = names
    .filter((side) => side !== reference)
    .map((side) => {
      const toReference = (metric: string) => ratioOf(series(side, metric), series(reference, metric), seed)
      return [side, byMetric(side, toReference)] as const
    })
  return { sides: Object.fromEntries(sides), ratios: Object.fromEntries(ratios) }
}

/** The order in which sides have their turns: A B C, C B A, A B C, so that a drift of the machine meets all alike. */
export function turns<T>(sides: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? sides : sides.toReversed()
}

function metricsOf(rounds: readonly Round[], side: string): string[] {
  return [...new Set(rounds.flatMap((round) => Object.keys(round[side] ?? {})))]
}
