import { idle } from '../../bench/idle.ts'
import { control, ours, reference } from '../../bench/sides.ts'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check } from '../proof.ts'
import { benchRun, benchSeconds, noiseCheck, ratioAtMost, withoutPeer } from './run.ts'

/** Bounds with digests every 2 s and tracing: CPU as a multiple of stock, and in ms/s. */
const maxCpu = { ratio: 2, msPerS: 8 }
/** Each with its own start command: a node's bundle and process settings outweigh its tracing and its tables. */
const maxRssRatio = 1

export const proof = endToEnd({
  name: 'bench-idle',
  about:
    'idle with 8 links, tracing on: CPU at most twice that of stock beside it, and no more memory than stock loaded from its packages',
  quick: false,
  seconds: benchSeconds(idle),
  async run(context) {
    const report = await benchRun(idle, context)
    const ratios = report.ratios[ours]
    const checks = [
      noiseCheck(report),
      ratioAtMost('CPU to stock', maxCpu.ratio, ratios?.['cpuMsPerS'], report),
      atMost('CPU per node, median', maxCpu.msPerS, report.sides[ours]?.['cpuMsPerS']?.median ?? Number.NaN, 'ms/s'),
      ratioAtMost('RSS to stock', maxRssRatio, ratios?.['rssMb'], report),
      ...foreign(Object.keys(report.sides)),
    ]
    return { figures: { ...report }, checks }
  },
})

/** No bound for other peers; the check records that they ran. */
function foreign(sides: readonly string[]): Check[] {
  const others = sides.filter((side) => ![ours, reference, control].includes(side))
  if (others.length === 0) return [withoutPeer('measured beside go-libp2p', 'figures')]
  return [{ what: 'measured beside', want: 'figures', got: others.join(', '), holds: true }]
}
