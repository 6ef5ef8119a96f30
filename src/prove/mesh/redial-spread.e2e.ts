import { rankAmong } from '../../core/backoff.ts'
import { seededRandom } from '../../testing/random.ts'
import {
  attempts,
  peakOverMean,
  redials,
  redialsOfNode,
  redialsWithIndependentWaits,
  worstFromSixth,
} from '../../testing/sim/redials.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, round } from '../proof.ts'

const nodes = 1_000
const runs = 3
/** Claimed dials of the fullest second over the mean. */
const maxRatio = 2
/** The control must exceed this ratio, or the measurement shows nothing. */
const minControlRatio = 3

const peers = Array.from({ length: nodes }, (_, i) => `peer-${String(i).padStart(4, '0')}`)

type Dials = readonly (readonly number[])[]

/** By attempt: the fullest second over its window's mean. */
function ratios(dials: Dials): Record<string, number> {
  const all = Array.from({ length: attempts }, (_, i) => i + 1)
  return Object.fromEntries(all.map((k) => [`attempt ${k}`, round(peakOverMean(dials, k))]))
}

/**
 * The claim holds for a mesh whose nodes know each other. Nodes that know half of it or no other are figures beside it:
 * by chance alone, attempts 9 and 10 (13 dials a second) exceed twice the mean in about one run of twenty.
 */
export const proof = endToEnd({
  name: 'redial-spread',
  about:
    'virtual: when 1,000 nodes lose one seed at once, no second from the sixth attempt on has more than twice the mean dials of its window',
  quick: true,
  virtual: true,
  seconds: 20,
  async run({ random, progress }) {
    progress('1,000 complete nodes, each of which knows the others')
    const complete = peers.map((self) => redialsOfNode(self, peers, seededRandom(random() * 2 ** 32)))
    progress(`${runs} times 1,000 seed diallers, by what each knows`)
    const knowingAll: Dials[] = []
    const knowingHalf: Dials[] = []
    const knowingNone: Dials[] = []
    const independent: Dials[] = []
    for (let run = 0; run < runs; run++) {
      const randomOfRun = seededRandom(random() * 2 ** 32)
      const some = () => peers.filter(() => randomOfRun() < 0.5)
      knowingAll.push(peers.map((self) => redials(randomOfRun, () => rankAmong(self, peers, randomOfRun))))
      knowingHalf.push(peers.map((self) => redials(randomOfRun, () => rankAmong(self, some(), randomOfRun))))
      knowingNone.push(peers.map(() => redials(randomOfRun, randomOfRun)))
      independent.push(peers.map(() => redialsWithIndependentWaits(randomOfRun)))
    }
    const control = Math.min(...independent.map(worstFromSixth))
    const worst = (all: readonly Dials[]) => Math.max(...all.map(worstFromSixth))
    return {
      figures: {
        nodes,
        runs,
        'complete nodes, max over mean': ratios(complete),
        'diallers that know all, worst run': round(worst(knowingAll)),
        'diallers that know half, by run': knowingHalf.map((dials) => round(worstFromSixth(dials))),
        'diallers that know no other, by run': knowingNone.map((dials) => round(worstFromSixth(dials))),
        'control: independent jitter for each wait, by attempt': ratios(independent[0] ?? []),
      },
      checks: [
        atMost('complete nodes: fullest second over mean, attempts 6 to 10', maxRatio, worstFromSixth(complete)),
        atMost(`diallers that know all, worst of ${runs} runs`, maxRatio, worst(knowingAll)),
        atLeast('control: with independent jitter for each wait the dials coincide', minControlRatio, control),
      ],
    }
  },
})
