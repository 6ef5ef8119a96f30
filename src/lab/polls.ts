import { MeshError } from '../core/errors.ts'
import type { Topology } from '../kit/views.ts'
import type { LabNode } from './lab-node.ts'

/** Asked at once; the others wait. */
const inFlight = 4
const answerMs = 5_000

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

/** What a node holds, by its own HTTP API. Throws MESH_LAB_REFUSED when it cannot be asked, or does not answer. */
export async function inventoryOf({ name, adminUrl, state }: LabNode): Promise<unknown> {
  const refused = (why: string) => new MeshError('MESH_LAB_REFUSED', { what: `${name} cannot be asked`, why })
  if (adminUrl === '' || state === 'paused') throw refused(`it is ${state}`)
  return askNode(adminUrl, 'inventory').catch(() => {
    throw refused('it does not answer')
  })
}

/** Rejects when there is no answer within 5 s, or when it is no success. */
async function askNode<T>(adminUrl: string, what: 'topology' | 'inventory'): Promise<T> {
  const answer = await fetch(`${adminUrl}/api/${what}`, { signal: AbortSignal.timeout(answerMs) })
  if (!answer.ok) throw new Error(`${adminUrl} answered ${answer.status}`)
  return (await answer.json()) as T
}
