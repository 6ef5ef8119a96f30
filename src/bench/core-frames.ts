import { median } from 'simple-statistics'
import { LinkedNodes } from '../testing/core/linked-nodes.ts'
import type { MicroBench, MicroReport } from './micro.ts'
import { measured } from './statistics.ts'

const connectionCounts = [10, 100, 300, 1_000]
/** Links of all nodes of one case. */
const links = 1_000
const rounds = 15
/** Rounds before the first that counts: V8 compiles meanwhile. */
const warmUpRounds = 3
const framesPerRound = 20_000

interface Case {
  readonly what: string
  readonly nodes: LinkedNodes
  readonly costs: number[]
}

/**
 * CPU of one frame on a joined link, as the machine takes it. Each case has as many nodes as 1,000 links need, so all
 * cases use the same memory: what differs is the number of connections of one node. One more case has ten links in all:
 * the rest of a frame's cost is the memory of the others, which fills the processor's caches and occupies the garbage
 * collector with the digests that every frame renews.
 */
export const coreFrames: MicroBench = {
  name: 'core',
  about: `microseconds per frame, machines alone: ${links} links, ${connectionCounts.join(', ')} on each node; and ten links`,
  seconds: 20,
  run: async ({ progress }) => {
    const few = newCase('10 links in all', 1, 10)
    const cases = connectionCounts.map((count) => newCase(`${count} connections`, Math.round(links / count), count))
    for (let round = 0; round < warmUpRounds + rounds; round++) {
      for (const { nodes, costs } of [...cases, few]) {
        const cost = nodes.frameCost(framesPerRound)
        if (round >= warmUpRounds) costs.push(cost)
      }
      progress(`round ${round + 1} of ${warmUpRounds + rounds}`)
    }
    return reportOf(cases, few)
  },
}

function newCase(what: string, nodes: number, connections: number): Case {
  return { what, nodes: new LinkedNodes(nodes, connections), costs: [] }
}

/** Ratios are medians over the rounds, since the machine is equally fast for all cases of one round. */
function reportOf(cases: readonly Case[], few: Case): MicroReport {
  const [smallest = [], largest = []] = [cases.at(0)?.costs, cases.at(-1)?.costs]
  const ratio = (costs: readonly number[], to: readonly number[]) => median(costs.map((cost, i) => cost / (to[i] ?? 0)))
  return {
    rows: [...cases, few].map(({ what, costs }) => ({ what, unit: 'us per frame', ...measured(costs) })),
    ratios: { 'largest to smallest': ratio(largest, smallest), '1000 links to 10': ratio(largest, few.costs) },
  }
}
