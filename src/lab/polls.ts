import type { Topology } from '../kit/views.ts'
import type { LabNode } from './lab-node.ts'

/** Asked at once; the others wait. */
const inFlight = 4
const answerMs = 2_000

/** Asks every node that runs for its topology. Never rejects: who does not answer is known by what is held of it. */
export async function pollTopologies(nodes: readonly LabNode[]): Promise<void> {
  const waiting = nodes.filter(({ state, adminUrl }) => (state === 'running' || state === 'unreachable') && adminUrl)
  const work = async () => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) await poll(node)
  }
  await Promise.all(Array.from({ length: inFlight }, work))
}

async function poll(node: LabNode): Promise<void> {
  const { adminUrl } = node
  const topology = await askNode<Topology>(adminUrl, 'topology').catch(() => undefined)
  // It may have ended meanwhile, or begun anew.
  if (node.adminUrl !== adminUrl || node.state === 'paused') return
  if (topology === undefined) node.unanswered++
  else {
    node.topology = topology
    node.unanswered = 0
  }
}

/** One answer of a node's HTTP API. Rejects when there is none within 2 s, or when it is no success. */
export async function askNode<T>(adminUrl: string, what: 'topology' | 'inventory'): Promise<T> {
  const answer = await fetch(`${adminUrl}/api/${what}`, { signal: AbortSignal.timeout(answerMs) })
  if (!answer.ok) throw new Error(`${adminUrl} answered ${answer.status}`)
  return (await answer.json()) as T
}
