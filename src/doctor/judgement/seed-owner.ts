import type { Finding } from '../finding.ts'
import { partOf } from './growth.ts'
import type { SeedHistory } from './seed-history.ts'

/** The owner of a fault of one seed: the node that has it, or the whole mesh if several nodes do. */
export function ownerOfSeed(histories: readonly SeedHistory[]): Pick<Finding, 'owner' | 'alsoAt'> {
  const nodes = [...new Set(histories.map(({ instance }) => instance.node))].sort()
  const [first] = histories as readonly [SeedHistory, ...SeedHistory[]]
  const part = `seed ${first.address}`
  if (nodes.length === 1) return { owner: partOf(first.instance, part) }
  return { owner: { mesh: first.instance.mesh, node: '', instance: '', part }, alsoAt: nodes }
}
