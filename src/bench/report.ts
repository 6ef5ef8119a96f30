import type { BenchReport } from './bench.ts'
import { reference } from './side.ts'
import { minPairs, type Ratio, type Spread } from './statistics.ts'

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
