import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import type { CloseStep, Owner } from '../core/owner.ts'
import type { TraceRef } from '../core/trace.ts'

/** One owner in a stop. */
export interface Closing {
  /** Names of what there was to close when the stop began. */
  readonly planned: readonly string[]
  /** The completed steps, at present. */
  readonly steps: readonly CloseStep[]
  /** Names of what it still holds, at present. */
  readonly held: readonly string[]
}

/** A stop as `mesh.node.stopped` describes it. */
export interface StopReport {
  readonly cause: string
  readonly uptimeMs: number
  /** Duration of the stop so far. */
  readonly tookMs: number
  readonly steps: readonly CloseStep[]
  /** Names of the steps that there should be. */
  readonly expected: readonly string[]
  /** What owners of the mesh, and libp2p, still hold. */
  readonly held: readonly string[]
  /** Handles and descriptors of the process that are left; empty in a process of the application. */
  readonly left: readonly string[]
}

/** Bounds the names in one attribute. */
const maxNames = 64

/** What was planned counts as expected, unless it was released by itself in the meantime, as a finished dial is. */
export function stopAccount({ planned, steps, held }: Closing): Pick<StopReport, 'steps' | 'expected' | 'held'> {
  const done = new Set(steps.map(({ name }) => name))
  const stillHeld = new Set(held)
  return { steps, held, expected: planned.filter((name) => done.has(name) || stillHeld.has(name)) }
}

/** Names of all that an owner holds: those of its steps, and its timers. */
export function heldBy(owner: Owner): readonly string[] {
  const timers = owner.inventory().resources.filter(({ kind }) => kind === 'timer')
  return [...owner.plannedSteps(), ...timers.map(({ owner: name, name: timer }) => `${name}: ${timer}`)]
}

/** Expected steps that did not run. */
function missingSteps({ steps, expected }: Pick<StopReport, 'steps' | 'expected'>): readonly string[] {
  const done = new Set(steps.map(({ name }) => name))
  return expected.filter((name) => !done.has(name))
}

/**
 * Why the stop was not complete, one text for each reason; empty for a complete one. What is `left` is no reason: the
 * export still has its connection then, and counts by kind do not say whether other code of the process has the rest.
 */
export function stopProblems(report: StopReport): readonly string[] {
  const failed = report.steps.flatMap(({ name, error }) => (error === undefined ? [] : [`${name}: ${error}`]))
  const missing = missingSteps(report).map((name) => `${name}: not closed`)
  return [...failed, ...missing, ...listed(report.held).map((name) => `still held: ${name}`)].slice(0, maxNames)
}

/** A stop in one trace: its cause, what it should have done and has left, and each closing step. */
export function stopSpans(ref: TraceRef, report: StopReport): SpanEffect[] {
  const { cause, uptimeMs, tookMs, steps, expected, held, left } = report
  const missing = missingSteps(report)
  const attributes = {
    'mesh.node.uptime_ms': Math.round(uptimeMs),
    'mesh.node.stop_cause': cause,
    'mesh.stop.duration_ms': Math.round(tookMs),
    'mesh.stop.expected': listed(expected),
    'mesh.stop.run': listed(steps.map(({ name }) => name)),
    'mesh.stop.missing': listed(missing),
    'mesh.stop.failed': listed(steps.flatMap(({ name, error }) => (error === undefined ? [] : [name]))),
    'mesh.stop.held': listed(held),
    'mesh.stop.held_count': held.length,
    'mesh.stop.left': listed(left),
  }
  return [emitSpan('mesh.node.stopped', attributes, { ref, parent: null }), ...steps.map((step) => stepSpan(step, ref))]
}

function stepSpan({ name, durationMs, error = '' }: CloseStep, parent: TraceRef): SpanEffect {
  const attributes = {
    'mesh.step.name': name,
    'mesh.step.duration_ms': Math.round(durationMs),
    'mesh.step.error': error,
  }
  return emitSpan('mesh.node.step', attributes, { parent })
}

/** The distinct names, each with its number if it occurs more than once. */
function listed(names: readonly string[]): readonly string[] {
  const counts = Map.groupBy(names, (name) => name)
  return [...counts].slice(0, maxNames).map(([name, { length }]) => (length === 1 ? name : `${name} (${length})`))
}
