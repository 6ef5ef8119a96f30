import type { Usage } from '../testing/process-usage.ts'
import { type Group, spawnGroup } from './group.ts'
import { dialsForAll, reference, stockSide } from './side.ts'

export interface StockNode {
  readonly name: string
  readonly pid: number
  /** Open connections; asking wakes it. */
  connections(): Promise<number>
  usage(): Promise<Usage>
}

export interface StockNodes extends AsyncDisposable {
  readonly nodes: readonly StockNode[]
}

const limitMs = 30_000
const pollMs = 250
const timeoutMs = 10_000

/**
 * `count` processes of stock js-libp2p with gossipsub, each connected to all others. Started by the same Node.js as
 * everything here, with no flag and no variable that a mesh node would get.
 */
export async function startStockNodes(count: number): Promise<StockNodes> {
  const group = await spawnGroup(stockSide(reference), count)
  try {
    const { signal } = new AbortController()
    await group.startAll(dialsForAll(reference, count), signal)
    const wait = { limitMs, everyMs: pollMs, signal }
    await group.until(({ links }) => links === count - 1, 'all are connected', wait)
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
