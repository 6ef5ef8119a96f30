import type { Usage } from '../testing/cluster/process-usage.ts'
import { type Group, spawnGroup } from './group.ts'
import { dialsForAll, reference, stockSide } from './sides.ts'

interface StockNode {
  readonly name: string
  readonly pid: number
  /** Number of open connections; the request wakes the process. */
  connections(): Promise<number>
  usage(): Promise<Usage>
}

interface StockNodes extends AsyncDisposable {
  readonly nodes: readonly StockNode[]
}

const limitMs = 30_000
const pollMs = 250
const timeoutMs = 10_000

/**
 * Starts `count` processes of stock js-libp2p with gossipsub in a complete graph, on the same Node.js as this process,
 * without the flags and variables of a mesh node.
 */
export async function startStockNodes(count: number): Promise<StockNodes> {
  const group = await spawnGroup(stockSide(reference), count)
  try {
    const { signal } = new AbortController()
    await group.startAll(dialsForAll(reference, count), signal)
    const wait = { limitMs, everyMs: pollMs, signal }
    await group.until(({ links }) => links === count - 1, 'all nodes are connected', wait)
  } catch (error) {
    await group[Symbol.asyncDispose]()
    throw error
  }
  return { nodes: nodesOf(group), [Symbol.asyncDispose]: () => group[Symbol.asyncDispose]() }
}

function nodesOf({ peers }: Group): StockNode[] {
  return peers.map(({ name, pid, request: ask, usage }) => {
    const connections = async () => (await ask({ do: 'count' }, 'count', timeoutMs)).links
    return { name, pid, connections, usage }
  })
}
