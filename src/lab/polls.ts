import { MeshError } from '../core/errors.ts'
import type { Topology } from '../kit/views.ts'
import type { LabNode } from './lab-node.ts'
import { labTopic } from './node-args.ts'

/** Asked at once; the others wait. */
const maxInFlight = 4
const answerMs = 5_000

/**
 * Asks every node that runs for its topology, within so many milliseconds for all of them. Never rejects: of who does
 * not answer no topology is known; who could not be asked in time is left as it was.
 */
export async function pollTopologies(nodes: readonly LabNode[], withinMs = Number.POSITIVE_INFINITY): Promise<void> {
  const deadline = performance.now() + withinMs
  const waiting = nodes.filter(({ state, adminUrl }) => (state === 'running' || state === 'unreachable') && adminUrl)
  const work = async () => {
    for (let node = waiting.shift(); node !== undefined && performance.now() < deadline; node = waiting.shift())
      await poll(node, deadline - performance.now())
  }
  await Promise.all(Array.from({ length: maxInFlight }, work))
}

async function poll(node: LabNode, withinMs: number): Promise<void> {
  const { adminUrl } = node
  const signal = AbortSignal.timeout(Math.max(1, Math.min(answerMs, Math.floor(withinMs))))
  const topology = await fetchJson<Topology>(adminUrl, 'topology', { signal }).catch(() => undefined)
  // It may have ended meanwhile, or begun anew.
  if (node.adminUrl !== adminUrl || node.state === 'paused') return
  node.topology = topology
  node.failedPolls = topology === undefined ? node.failedPolls + 1 : 0
}

/** What a node holds, by its own HTTP API. Throws MESH_LAB_REFUSED when it cannot be asked, or does not answer. */
export function requestInventory(node: LabNode): Promise<unknown> {
  return requestFromNode(node, 'inventory')
}

/** Has a node publish a text; returns how many heard it first. Throws MESH_LAB_REFUSED as `inventoryOf` does. */
export async function publishFrom(node: LabNode, text: string): Promise<number> {
  const body = JSON.stringify({ topic: labTopic, text })
  const post = { method: 'POST', body, headers: { 'content-type': 'application/json' } }
  const { recipients } = await requestFromNode<{ recipients: number }>(node, 'messages', post)
  return recipients
}

async function requestFromNode<T>({ name, adminUrl, state }: LabNode, what: string, init?: RequestInit): Promise<T> {
  const refused = (why: string) => new MeshError('MESH_LAB_REFUSED', { what: `${name} cannot be asked`, why })
  if (adminUrl === '' || state === 'paused') throw refused(`it is ${state}`)
  return fetchJson<T>(adminUrl, what, init).catch(() => {
    throw refused('it does not answer')
  })
}

/** Rejects when there is no answer within 5 s, or when it is no success. */
async function fetchJson<T>(adminUrl: string, what: string, init: RequestInit = {}): Promise<T> {
  const answer = await fetch(`${adminUrl}/api/${what}`, { signal: AbortSignal.timeout(answerMs), ...init })
  if (!answer.ok) throw new Error(`${adminUrl} answered ${answer.status}`)
  return (await answer.json()) as T
}
