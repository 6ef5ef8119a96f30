import type { Instance } from '../evidence/instance.ts'
import { pointsOf } from './growth.ts'

/** Settings of a process that decide how long something may take. */
export interface Settings {
  /** Time between two sweeps for stale members. */
  readonly sweepMs: number
  /** Least silence after which a member expires. */
  readonly stalenessMs: number
  /** Whether the process itself says when it sweeps, or its count of sweeps shows it. */
  readonly isSweepKnown: boolean
}

/** What a process does that says nothing else. */
const defaults = { sweepMs: 5_000, stalenessMs: 30_000 }

/** The settings in force, as the process said at its start; of one whose start is not in the evidence, as they show. */
export function settingsOf(instance: Instance): Settings {
  const stated = statedMs(instance, 'mesh.node.started', 'mesh.node.sweep_ms')
  const seen = stated === undefined ? seenSweepMs(instance) : undefined
  return {
    sweepMs: stated ?? Math.max(defaults.sweepMs, seen ?? 0),
    stalenessMs:
      statedMs(instance, 'mesh.node.started', 'mesh.node.staleness_ms') ??
      statedMs(instance, 'mesh.node.stalled', 'mesh.stall.suspended_ms') ??
      Math.max(defaults.stalenessMs, leastExpiryMs(instance)),
    isSweepKnown: stated !== undefined || seen !== undefined,
  }
}

/** The longest times of several processes. */
export function longestOf(all: readonly Settings[]): Settings {
  return {
    sweepMs: Math.max(defaults.sweepMs, ...all.map(({ sweepMs }) => sweepMs)),
    stalenessMs: Math.max(defaults.stalenessMs, ...all.map(({ stalenessMs }) => stalenessMs)),
    isSweepKnown: all.every(({ isSweepKnown }) => isSweepKnown),
  }
}

function statedMs(
  instance: Instance,
  span: 'mesh.node.started' | 'mesh.node.stalled',
  attribute: string,
): number | undefined {
  const value = instance.spans(span).at(-1)?.attributes[attribute]
  return typeof value === 'number' ? value : undefined
}

/** A slow peer may be silent for so long whatever the setting is. */
const slowPeerMs = 600_000

/** What each member that expired was allowed, if that is more than a slow peer is. */
function leastExpiryMs(instance: Instance): number {
  const allowed = instance
    .spans('mesh.member.expired')
    .flatMap(({ attributes: { 'mesh.member.window_ms': ms } }) => (typeof ms === 'number' ? [ms] : []))
  const least = Math.min(...allowed)
  return Number.isFinite(least) && least > slowPeerMs ? least : 0
}

/** The longest time in which the count of sweeps stood still, and then rose again, for each sweep; of two rises at least. */
function seenSweepMs(instance: Instance): number | undefined {
  const sweeps = pointsOf(instance, 'mesh.audit.sweeps')
  const rises = sweeps.filter(({ value }, index) => value > (sweeps[index - 1]?.value ?? Number.POSITIVE_INFINITY))
  const times = rises.slice(1).map(({ atMs, value }, index) => {
    const before = rises[index] as (typeof rises)[number]
    return (atMs - before.atMs) / Math.max(1, value - before.value)
  })
  return times.length === 0 ? undefined : Math.max(...times)
}
