import { type BenchReport, runBench } from '../../bench/bench.ts'
import { fanout } from '../../bench/fanout.ts'
import { formatReport } from '../../bench/report.ts'
import { control, ours, reference } from '../../bench/sides.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, type Check, equals } from '../proof.ts'

/** A short `bench-fanout`: that it measures, not what. */
export const proof = endToEnd({
  name: 'bench-fanout-quick',
  about: 'a bench of four nodes: every side has all metrics, and every message arrives',
  quick: true,
  seconds: 35,
  async run({ seed, progress, signal }) {
    const options = { ...fanout.defaults, nodes: 4, pairs: 1, window: 3, settle: 1, seed }
    const report = await runBench(fanout, options, { progress, signal })
    const notes = report.notes.filter((note) => /another CPU time than the kernel/.test(note))
    return {
      figures: { ...report },
      checks: [
        equals('sides', [reference, ours, control].join(), Object.keys(report.sides).join()),
        ...Object.keys(report.sides).flatMap((side) => sideChecks(report, side)),
        atLeast('ratio of CPU per delivery', 0.01, report.ratios[ours]?.['cpuMsPerDelivery']?.median ?? Number.NaN),
        equals('notes about CPU times that differ', '', notes.join('; ')),
        equals('lines of the report with the sides', true, tableLines.test(formatReport(report))),
        equals('settings of ours', true, report.settings[ours]?.includes('MALLOC_ARENA_MAX=1') ?? false),
        equals('settings of stock', '', report.settings[reference]?.join() ?? 'missing'),
      ],
    }
  },
})

const tableLines = /cpuMsPerDelivery\n {2}stock .*\n {2}ours .* x .*, range /

function sideChecks(report: BenchReport, side: string): Check[] {
  const of = (metric: string) => report.sides[side]?.[metric]?.median ?? Number.NaN
  return [
    equals(`${side}: delivered, %`, 100, of('deliveredPercent')),
    atLeast(`${side}: CPU per delivery`, 0.05, of('cpuMsPerDelivery'), 'ms'),
    atMost(`${side}: CPU per delivery`, 200, of('cpuMsPerDelivery'), 'ms'),
    atMost(`${side}: median delay, of the 99th percentile`, of('p99Ms'), of('p50Ms'), 'ms'),
    atLeast(`${side}: resident memory`, 30, of('rssMb'), 'MB'),
    atLeast(`${side}: duplicates per delivery`, 0, of('duplicatesPerDelivery')),
  ]
}
