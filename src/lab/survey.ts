import { setTimeout as sleep } from 'node:timers/promises'
import type { LabNode } from './lab-node.ts'
import { pollTopologies } from './polls.ts'
import { type Snapshot, snapshotOf } from './record.ts'
import { stopLimits } from './stop-limits.ts'

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
