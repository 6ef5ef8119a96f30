import type { TraceSpan } from '../../traces/trace.ts'
import { type Diagnosis, diagnose } from '../diagnose.ts'
import type { Coverage, Evidence } from '../evidence/evidence.ts'
import { EvidenceFold } from '../evidence/fold.ts'
import { rules } from '../rules/all.ts'
import type { Period, Reading } from '../sources/source.ts'
import { readSpanFiles } from '../sources/span-files.ts'
import { readAround, readTraceStore } from '../sources/trace-store.ts'

/** Where the spans are, and which of them count. */
export interface Subject {
  readonly url: string
  /** In place of the trace store. */
  readonly files: readonly string[]
  readonly mesh: string | undefined
  readonly period: Period
  readonly signal: AbortSignal
  readonly progress: (text: string) => void
  /** Of the trace store; a test replaces it. */
  readonly fetch?: typeof fetch
}

export interface Examination {
  readonly evidence: Evidence
  readonly diagnosis: Diagnosis
  readonly reading: Reading
}

/** What several readings of one mesh share. */
export interface ReadingState {
  readonly fold: EvidenceFold
  /** Whether the readings before had every span, and why not. */
  readonly earlier: Coverage
  /** Spans that started before may have been read: milliseconds since 1970. */
  readonly readMs: number
}

/** Moments at which something began, of a long period: the store is asked for the minutes around so many. */
const maxMoments = 3

/**
 * Reads the spans of a period, and says what is wrong. The evidence also has the spans that `state` had before.
 *
 * @throws MeshError if there is nothing to read
 */
export async function examine(
  subject: Subject,
  state: ReadingState = firstReading(new EvidenceFold()),
): Promise<Examination> {
  const { fold, readMs } = state
  const add = (span: TraceSpan, again: boolean) => fold.add(span, again || span.startMs < readMs)
  const options = { ...subject, add }
  if (subject.files.length > 0) return conclude(state, await readSpanFiles(subject.files, options))
  const examined = conclude(state, await readTraceStore(options))
  if (examined.reading.complete) return examined
  const moments = examined.diagnosis.findings.filter(({ sinceMs }) => sinceMs !== undefined).slice(0, maxMoments)
  let reading = examined.reading
  for (const { owner, sinceMs = 0 } of moments) reading = sum(reading, await readAround(options, owner.mesh, sinceMs))
  return moments.length === 0 ? examined : conclude(state, reading)
}

/** The same examination with spans that no source has. */
export function withSpans({ evidence, reading }: Examination, fold: EvidenceFold, spans: readonly TraceSpan[]) {
  for (const span of spans) fold.add(span)
  const { complete, partial } = evidence
  const whole = fold.evidence({ complete, partial })
  return { evidence: whole, diagnosis: diagnose(whole, rules), reading } satisfies Examination
}

/** A single reading. */
export function firstReading(fold: EvidenceFold): ReadingState {
  return { fold, earlier: { complete: true, partial: [] }, readMs: Number.NEGATIVE_INFINITY }
}

function conclude({ fold, earlier }: ReadingState, reading: Reading): Examination {
  const evidence = fold.evidence({
    complete: reading.complete && earlier.complete,
    partial: [...new Set([...earlier.partial, ...reading.partial])],
  })
  return { evidence, diagnosis: diagnose(evidence, rules), reading }
}

function sum(one: Reading, other: Reading): Reading {
  return {
    ...one,
    partial: [...new Set([...one.partial, ...other.partial])],
    bytes: one.bytes + other.bytes,
    requests: one.requests + other.requests,
  }
}
