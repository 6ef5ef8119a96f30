import { LinkedNode } from '../testing/core/linked-node.ts'
import type { MicroBench, MicroReport } from './micro.ts'
import { measured } from './statistics.ts'

const connectionCounts = [10, 100, 300, 1_000]
const rounds = 15
/** Rounds before the first that counts: V8 compiles meanwhile. */
const warmUpRounds = 3
const framesPerRound = 20_000

/** CPU of one frame on a joined link, as the machine takes it: the largest number of connections may cost little more than the smallest. */
export const coreFrames: MicroBench = {
  name: 'core',
  about: `microseconds per frame of a node with ${connectionCounts.join(', ')} connections, machines alone`,
  seconds: 20,
  run: async ({ progress }) => {
    const nodes = connectionCounts.map((count) => new LinkedNode(count))
    const costs = connectionCounts.map((): number[] => [])
    for (let round = 0; round < warmUpRounds + rounds; round++) {
      for (const [index, node] of nodes.entries()) {
        const cost = node.frameCost(framesPerRound)
        if (round >= warmUpRounds) costs[index]?.push(cost)
      }
      progress(`round ${round + 1} of ${warmUpRounds + rounds}`)
    }
    return reportOf(costs)
  },
}

function reportOf(costs: readonly number[][]): MicroReport {
  const rows = connectionCounts.map((count, index) => ({
    what: `${count} connections`,
    unit: 'us per frame',
    ...measured(costs[index] ?? []),
  }))
  const medians = rows.map(({ median }) => median)
  return { rows, ratios: { 'largest to smallest': Math.max(...medians) / Math.min(...medians) } }
}
