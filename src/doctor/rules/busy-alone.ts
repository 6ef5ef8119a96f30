import type { Instance } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { partOf, pointsOf, valueAt } from '../growth.ts'
import type { Rule } from '../rule.ts'

/** CPU seconds per second: an idle node uses 0.005, and one that retries its seeds hardly more. */
const leastUsage = 0.15
/** A new process loads and compiles its code. */
const startMs = 30_000
/** Milliseconds without a peer, over which the usage is measured. */
const leastMs = 55_000

/** A process that computes while it has no peer, so neither members nor messages explain it. */
export const busyAlone: Rule = {
  name: 'busy-alone',
  find: ({ instances }) => instances.flatMap((instance) => findingOf(instance) ?? []),
}

function findingOf(instance: Instance): Finding | undefined {
  const connections = pointsOf(instance, 'mesh.audit.connections')
  const cpu = pointsOf(instance, 'process.cpu.time').filter(({ atMs }) => atMs >= instance.firstMs + startMs)
  const lonely = cpu.slice(cpu.findLastIndex(({ atMs }) => valueAt(connections, atMs) > 0) + 1)
  const [first, last] = [lonely[0], lonely.at(-1)]
  if (connections.length === 0 || first === undefined || last === undefined) return undefined
  const ms = last.atMs - first.atMs
  const usage = (1_000 * (last.value - first.value)) / ms
  if (ms < leastMs || usage < leastUsage) return undefined
  return {
    disease: 'busy-alone',
    owner: partOf(instance, 'process'),
    certainty: 'likely',
    sinceMs: first.atMs,
    summary: `it used ${Math.round(100 * usage)} % of a CPU for ${Math.round(ms / 1_000)} s without a peer`,
    proof: instance.censuses,
  }
}
