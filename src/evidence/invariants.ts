import { type AttributesOf, emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'
import type { TraceRef } from '../core/trace.ts'

export type InvariantName = AttributesOf<'mesh.leak.suspected'>['mesh.invariant']

/** Two counts that must agree, or a count and its bound. */
export interface Invariant {
  readonly name: InvariantName
  /** Whose fault it is if it breaks: an owner of `inventory()`, a layer, or a registry. */
  readonly owner: string
  readonly expected: number
  readonly actual: number
  readonly isBroken: boolean
  /** Ids of what breaks it. */
  readonly ids?: readonly string[]
}

type Facts = Omit<Invariant, 'isBroken'>

/** Both counts must be equal. */
export function equal(facts: Facts): Invariant {
  return { ...facts, isBroken: facts.actual !== facts.expected }
}

/** The actual count must not exceed the expected one. */
export function atMost(facts: Facts): Invariant {
  return { ...facts, isBroken: facts.actual > facts.expected }
}

export interface BrokenInvariant extends Invariant {
  readonly span: (audit: TraceRef) => SpanEffect
}

/** Ids in one span: enough to find the others by. */
const maxIds = 16

/**
 * Notes since when each invariant is broken, by name and owner. It forgets
 * one that is whole again, so it holds no more than one census finds.
 */
export class InvariantWatch {
  #broken: readonly (Invariant & { readonly since: number })[] = []

  judge(invariants: readonly Invariant[], now: number): readonly BrokenInvariant[] {
    const before = this.#broken
    const sinceOf = ({ name, owner }: Invariant) =>
      before.find((one) => one.name === name && one.owner === owner)?.since ?? now
    this.#broken = invariants
      .filter(({ isBroken }) => isBroken)
      .map((invariant) => ({ ...invariant, since: sinceOf(invariant) }))
    return this.#broken.map((invariant) => ({
      ...invariant,
      span: (audit) => suspectedSpan({ ...invariant, brokenMs: now - invariant.since }, audit),
    }))
  }
}

function suspectedSpan(invariant: Invariant & { readonly brokenMs: number }, parent: TraceRef): SpanEffect {
  const { name, owner, expected, actual, brokenMs, ids = [] } = invariant
  return emitSpan(
    'mesh.leak.suspected',
    {
      'mesh.invariant': name,
      'mesh.invariant.owner': owner,
      'mesh.expected': expected,
      'mesh.actual': actual,
      'mesh.invariant.broken_ms': Math.round(brokenMs),
      'mesh.invariant.ids': ids.slice(0, maxIds),
    },
    { parent },
  )
}
