import type { BenchReport } from './bench.ts'
import { reference } from './sides.ts'
import { minPairs, type Ratio, ratioOf, type Spread, spreadOf } from './statistics.ts'

/** A report for people: a table per metric, notes, and whether the run is valid. */
export function formatReport(report: BenchReport): string {
  const { bench, options, sides, noise, notes, seconds } = report
  const metrics = [...new Set(Object.values(sides).flatMap((side) => Object.keys(side)))]
  const head = `${bench}: ${options.nodes} processes per side, ${options.pairs} rounds of ${options.window} s, seed ${options.seed}; took ${seconds} s`
  const tables = metrics.map((metric) => table(metric, report))
  const warnings =
    options.pairs < minPairs ? [`- fewer than ${minPairs} rounds give no 95 % interval, only a range`] : []
  const noiseText = `${reference} against itself: ${noise.ratio?.toFixed(3) ?? 'not measured'} (${noise.metric})`
  const verdict = noise.void ? `VOID, ${noiseText}: outside 0.95 to 1.05; repeat on a quieter machine` : noiseText
  return [head, '', ...tables, ...notes.map((note) => `- ${note}`), ...warnings, `- ${verdict}`, ''].join('\n')
}

function table(metric: string, { sides, ratios }: BenchReport): string {
  const rows = Object.entries(sides).flatMap(([side, metrics]) => {
    const spread = metrics[metric]
    return spread === undefined ? [] : [row(side, spread, ratios[side]?.[metric])]
  })
  return `${metric}\n${rows.join('\n')}\n`
}

function row(side: string, { median, min, max }: Spread, ratio: Ratio | undefined): string {
  const values = `${formatNumber(median)} (${formatNumber(min)} to ${formatNumber(max)})`
  return `  ${side.padEnd(14)}${values.padEnd(32)}${ratio === undefined ? '' : ratioText(ratio)}`.trimEnd()
}

function ratioText({ median, min, max, low, high }: Ratio): string {
  const interval = low === undefined ? '' : `, 95 % ${formatNumber(low)} to ${formatNumber(high)}`
  return `x ${formatNumber(median)}, range ${formatNumber(min)} to ${formatNumber(max)}${interval}`
}

function formatNumber(value = Number.NaN): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 3)
}

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
