import { type Ratio, ratioOf, type Spread, spreadOf } from './statistics.ts'

/** Metrics of one side in one round, by name; a metric that could not be measured is absent. */
export type Metrics = Readonly<Record<string, number>>
/** Metrics of all sides, measured next to each other. */
export type Round = Readonly<Record<string, Metrics>>

export interface Comparison {
  readonly sides: Readonly<Record<string, Readonly<Record<string, Spread>>>>
  /** Ratio of each side to the reference. */
  readonly ratios: Readonly<Record<string, Readonly<Record<string, Ratio>>>>
}

/** Summarizes rounds: spreads of each side, and paired ratios to `reference`. `seed` makes the intervals repeatable. */
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

/** Order of the sides in a round: A B C, C B A, A B C, so that drift of the machine affects all alike. */
export function turns<T>(sides: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? sides : sides.toReversed()
}

function metricsOf(rounds: readonly Round[], side: string): string[] {
  return [...new Set(rounds.flatMap((round) => Object.keys(round[side] ?? {})))]
}
