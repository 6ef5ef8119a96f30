import type { SpanEffect, SpanEffectOf } from '../../catalogue/span-effect.ts'
import type { SpanName } from '../../catalogue/spans.ts'
import { DigestView, type ViewEffect, type ViewOptions } from '../../core/digest-view.ts'
import type { Digest } from '../../core/frames.ts'
import { Owner } from '../../core/owner.ts'
import { newTrace } from '../../core/trace.ts'
import { seededRandom } from '../random.ts'
import { VirtualClock } from '../sim/virtual-clock.ts'

export const window = newTrace(seededRandom(1))
export const wall = 1_700_000_000_000

export function makeView(options: Partial<ViewOptions> = {}) {
  const owner = new Owner('node-a', new VirtualClock())
  const random = seededRandom(2)
  const defaults = { self: 'self', stalenessMs: 30_000, sweepMs: 5_000, skewAllowedMs: 5_000, random }
  return new DigestView(owner, { ...defaults, ...options })
}

export function digestOf(peer: string, changes: Partial<Digest> = {}): Digest {
  return {
    peer,
    name: `name of ${peer}`,
    role: 'compute',
    meshes: ['mesh-a'],
    incarnation: 1,
    sequence: 1,
    intervalMs: 2_000,
    addresses: [],
    topics: [],
    links: [],
    sentAt: wall,
    ...changes,
  }
}

export const hear = (view: DigestView, digest: Digest, now: number, via: 'link' | 'gossip' = 'link') =>
  view.handle({ type: 'digest', digest, via, wall }, now)
export const tick = (view: DigestView, now: number) => view.handle({ type: 'tick', window }, now)

/** Runs every tick that is due until `time`. */
export function runUntil(view: DigestView, time: number): ViewEffect[] {
  const effects: ViewEffect[] = []
  for (let at = view.deadline(); at <= time; at = view.deadline()) effects.push(...tick(view, at))
  return effects
}

/** The spans of this name among the effects of any machine. */
export function spansNamed<N extends SpanName>(effects: readonly { readonly do: string }[], name: N) {
  return effects.filter((effect): effect is SpanEffectOf<N> => 'span' in effect && effect.span === name)
}

/** What each effect does, or the name of its span. */
export const summary = (effects: readonly (SpanEffect | { readonly do: string })[]) =>
  effects.map((effect) => ('span' in effect ? effect.span : effect.do))
export const names = (view: DigestView) => view.members().map(({ digest }) => digest.peer)
