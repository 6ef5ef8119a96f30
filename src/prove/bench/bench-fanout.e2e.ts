import type { BenchReport } from '../../bench/bench.ts'
import { fanout } from '../../bench/fanout.ts'
import { control, ours, reference } from '../../bench/sides.ts'
import { ratioOf } from '../../bench/statistics.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, type Check } from '../proof.ts'
import { benchRun, benchSeconds, noiseCheck, ratioAtMost, withoutPeer } from './run.ts'

/** Upper bounds of our ratio to each, with tracing on. Go is native code, so JavaScript may cost a multiple of it. */
const maxCpuRatio = { stock: 1, foreign: 6 }
const delivered = 'deliveredPercent'
const cpu = 'cpuMsPerDelivery'

export const proof = endToEnd({
  name: 'bench-fanout',
  about: 'a message costs less CPU per delivery than with stock gossipsub beside it, at most six times go-libp2p',
  quick: false,
  seconds: benchSeconds(fanout),
  async run(context) {
    const report = await benchRun(fanout, context)
    const checks = [
      noiseCheck(report),
      ratioAtMost('CPU per delivery to stock', maxCpuRatio.stock, report.ratios[ours]?.[cpu], report),
      atLeast('delivered, worst round', 100, report.sides[ours]?.[delivered]?.min ?? Number.NaN, '%'),
      ...foreign(report),
    ]
    return { figures: { ...report }, checks }
  },
})

function foreign(report: BenchReport): Check[] {
  const what = 'CPU per delivery to'
  const others = Object.keys(report.sides).filter((side) => ![ours, reference, control].includes(side))
  if (others.length === 0) return [withoutPeer(`${what} go-libp2p`, `at most ${maxCpuRatio.foreign}`)]
  const series = (side: string) => report.rounds.map((round) => round[side]?.[cpu] ?? Number.NaN)
  return others.map((side) =>
    ratioAtMost(
      `${what} ${side}`,
      maxCpuRatio.foreign,
      ratioOf(series(ours), series(side), report.options.seed),
      report,
    ),
  )
}
