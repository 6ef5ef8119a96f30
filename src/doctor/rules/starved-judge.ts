import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { missingSpans } from '../judgement/absence.ts'
import { partOf } from '../judgement/growth.ts'
import type { Rule } from '../rule.ts'

/** A laptop that sleeps, or a machine that migrates, stalls a node once or twice. */
const leastStalls = 3
const withinMs = 1_800_000

/** A node says that it did not run, at least three times within half an hour. */
export const starvedJudge: Rule = {
  name: 'starved-judge',
  find: (evidence) => {
    const { instances } = evidence
    const stalled = instances.filter((instance) => isStarved(instance, leastStalls))
    const byHost = Map.groupBy(stalled, ({ mesh, node, host }) => `${mesh} ${host === '' ? node : host}`)
    const unsure = instances.filter((one) => !stalled.includes(one) && isStarved(one, leastStalls - 1))
    return [
      ...[...byHost.values()].map((starved) => findingOf(starved)),
      ...unsure.flatMap((one) => {
        const missing = missingSpans(evidence, one)
        return missing === undefined ? [] : [findingOf([one], missing)]
      }),
    ]
  },
}

function isStarved(instance: Instance, least: number): boolean {
  const stalls = instance.spans('mesh.node.stalled')
  return stalls.some((one, index) => {
    const last = stalls[index + least - 1]
    return last !== undefined && last.startMs - one.startMs <= withinMs
  })
}

/** Nodes of one machine starve together. */
function findingOf(starved: readonly Instance[], missing?: string): Finding {
  const inOrder = starved.toSorted((a, b) => b.countOf('mesh.node.stalled') - a.countOf('mesh.node.stalled'))
  const [worst, ...others] = inOrder as [Instance, ...Instance[]]
  const stalls = worst.spans('mesh.node.stalled')
  const sleptMs = stalls.map(({ attributes }) => Number(attributes['mesh.stall.slept_ms']))
  return {
    disease: 'starved-judge',
    owner: partOf(worst, 'process'),
    certainty: missing === undefined ? 'certain' : 'insufficient',
    sinceMs: stalls[0]?.startMs,
    lastMs: stalls.at(-1)?.startMs,
    summary: `it did not run ${worst.countOf('mesh.node.stalled')} times, ${Math.round(Math.max(...sleptMs) / 1_000)} s at most`,
    proof: stalls.slice(0, 8).map(witnessOf),
    alsoAt: others.map(({ node }) => node),
    ...(missing !== undefined && { missing }),
  }
}
