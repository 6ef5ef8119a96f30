import type { Rule } from '../doctor/rule.ts'
import { diagnoseSpans, judge } from './judge.ts'
import type { Recording } from './recording.ts'

/** How soon the doctor names a disease for good. */
export interface TimeToName {
  /** From the plant on. */
  readonly seconds: number
  /** Peers that joined meanwhile. */
  readonly events: number
}

const stepMs = 10_000

/** The earliest time after which every longer part of the recording has the right answer; undefined if it never has. */
export function timeToName({ spans, truth }: Recording, rules: readonly Rule[]): TimeToName | undefined {
  const lastMs = spans.reduce((latest, span) => Math.max(latest, endOf(span)), 0)
  let namedMs: number | undefined
  for (let untilMs = lastMs; untilMs > truth.plantedAtMs; untilMs -= stepMs) {
    const part = spans.filter((span) => endOf(span) <= untilMs)
    if (judge(diagnoseSpans(part, rules), truth) !== 'right') break
    namedMs = untilMs
  }
  if (namedMs === undefined) return undefined
  const until = namedMs
  const joined = spans.filter(({ name, startMs }) => name === 'mesh.member.joined' && startMs > truth.plantedAtMs)
  const peers = new Set(joined.filter((span) => span.startMs <= until).map((span) => span.attributes['mesh.peer.id']))
  return { seconds: Math.round((until - truth.plantedAtMs) / 1_000), events: peers.size }
}

function endOf({ startMs, durationMs }: Recording['spans'][number]): number {
  return startMs + durationMs
}
