import { setTimeout as sleep } from 'node:timers/promises'
import { MeshError } from '../core/errors.ts'
import type { Topology } from '../kit/views.ts'
import type { LabNode } from './lab-node.ts'
import { type Snapshot, snapshotOf } from './record.ts'
import { stopLimits } from './stop.ts'

/** Concurrent requests. */
const maxInFlight = 4
const answerMs = 5_000

/**
 * Polls the topology of every running node, all of them within `withinMs`. Never rejects: a node that does not answer
 * has no topology; a node that was not polled in time is unchanged.
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
  // The node may have exited or restarted meanwhile.
  if (node.adminUrl !== adminUrl || node.state === 'paused') return
  node.topology = topology
  node.failedPolls = topology === undefined ? node.failedPolls + 1 : 0
}

/** Requests `/api/WHAT` of a node. Throws MESH_LAB_REFUSED when it does not run, or does not answer. */
export async function requestFromNode<T>(
  { name, adminUrl, state }: LabNode,
  what: string,
  init?: RequestInit,
): Promise<T> {
  const refused = (why: string) => new MeshError('MESH_LAB_REFUSED', { what: `request to ${name} failed`, why })
  if (adminUrl === '' || state === 'paused') throw refused(`it is ${state}`)
  return fetchJson<T>(adminUrl, what, init).catch(() => {
    throw refused('it does not answer')
  })
}

/** Rejects without a successful answer within 5 s. */
async function fetchJson<T>(adminUrl: string, what: string, init: RequestInit = {}): Promise<T> {
  const answer = await fetch(`${adminUrl}/api/${what}`, { signal: AbortSignal.timeout(answerMs), ...init })
  if (!answer.ok) throw new Error(`${adminUrl} answered ${answer.status}`)
  return (await answer.json()) as T
}

/** A profile of the heap begins with a collection; a shorter one is not to be had. */
const shortestProfile = 'debug/pprof/heap?seconds=1'
const profileMs = 10_000

/** Makes a node collect garbage, if it serves profiles. Never rejects. */
export async function collectGarbage({ state, profileUrl }: LabNode, signal: AbortSignal): Promise<void> {
  if (state !== 'running' || profileUrl === '') return
  const within = AbortSignal.any([signal, AbortSignal.timeout(profileMs)])
  try {
    const answer = await fetch(`${profileUrl}/${shortestProfile}`, { signal: within })
    await answer.arrayBuffer()
  } catch {
    // A node that is busy or has exited has no floor this time.
  }
}

/** Interval between two polls of all nodes, in milliseconds. */
export const pollMs = 2_000

/** Samples memory and CPU of all nodes and, with `topologies`, requests their topologies. Never rejects. */
export async function pollNodes(nodes: readonly LabNode[], topologies: boolean, withinMs?: number): Promise<void> {
  await Promise.all(nodes.map((node) => node.sampleUsage()))
  if (topologies) await pollTopologies(nodes, withinMs)
}

/**
 * Takes a snapshot within 8 s. It polls twice when something is wrong: a second link, for example, may be about to
 * close.
 *
 * @param elapsed Milliseconds since the lab's start.
 */
export async function survey(nodes: readonly LabNode[], elapsed: () => number): Promise<Snapshot> {
  const deadline = performance.now() + stopLimits.surveyMs
  await pollNodes(nodes, true, stopLimits.surveyMs)
  const first = snapshotOf(nodes, elapsed())
  const isHealthy = first.links.doubled.length + first.findings.length === 0
  if (isHealthy || deadline - performance.now() < 2 * pollMs) return first
  await sleep(pollMs)
  await pollNodes(nodes, true, deadline - performance.now())
  return snapshotOf(nodes, elapsed())
}
