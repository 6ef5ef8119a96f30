import { idle } from '../../bench/idle.ts'
import { control, ours, reference } from '../../bench/side.ts'
import { atMost, type Check, type Proof } from '../proof.ts'
import { benchRun, benchSeconds, noiseCheck, ratioAtMost, withoutPeer } from './run.ts'

/** Digests every 2 s and tracing cost something: what they may cost, as a multiple of stock and in CPU ms/s. */
const cpuMost = { ratio: 2, msPerS: 8 }
/** As each is started: a node's bundle and process settings are what makes up for tracing and for what it knows. */
const rssMost = 1

export const proof: Proof = {
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
      ratioAtMost('CPU to stock', cpuMost.ratio, ratios?.['cpuMsPerS'], report),
      atMost('CPU per node, median', cpuMost.msPerS, report.sides[ours]?.['cpuMsPerS']?.median ?? Number.NaN, 'ms/s'),
      ratioAtMost('RSS to stock', rssMost, ratios?.['rssMb'], report),
      ...foreign(Object.keys(report.sides)),
    ]
    return { figures: { ...report }, checks }
  },
}

/** Nothing is promised about others; that they were there is said. */
function foreign(sides: readonly string[]): Check[] {
  const others = sides.filter((side) => ![ours, reference, control].includes(side))
  if (others.length === 0) return [withoutPeer('measured beside go-libp2p', 'figures')]
  return [{ what: 'measured beside', want: 'figures', got: others.join(', '), holds: true }]
}
