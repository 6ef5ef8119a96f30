import { setTimeout as sleep } from 'node:timers/promises'
import type { LabNode } from './lab-node.ts'
import { pollTopologies } from './polls.ts'
import { type Snapshot, snapshotOf } from './record.ts'
import { stopLimits } from './stop-limits.ts'

/** Between two looks at everybody, in milliseconds. */
export const pollMs = 2_000

/** Reads what everybody has used and, if asked for, has everybody say how its links are. Never rejects. */
export async function pollNodes(nodes: readonly LabNode[], topologies: boolean, withinMs?: number): Promise<void> {
  await Promise.all(nodes.map((node) => node.sampleUsage()))
  if (topologies) await pollTopologies(nodes, withinMs)
}

/**
 * How things are, within 8 s. What is wrong for a moment, such as a second link that is about to be closed, is looked at
 * twice.
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
