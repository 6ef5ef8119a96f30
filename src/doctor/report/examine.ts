import { type Diagnosis, diagnose } from '../diagnose.ts'
import type { Evidence } from '../evidence/evidence.ts'
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
}

export interface Examination {
  readonly evidence: Evidence
  readonly diagnosis: Diagnosis
  readonly reading: Reading
}

/** What several readings of one mesh share. */
export interface Watched {
  readonly fold: EvidenceFold
  /** Whether every reading so far was: only then a missing `mesh.seq` is a lost span. */
  complete: boolean
}

/** Moments at which something began, of a long period: the store is asked for the minutes around so many. */
const maxMoments = 3

/**
 * Reads the spans of a period, and says what is wrong. The evidence also has the spans that `watched` had before.
 *
 * @throws MeshError if there is nothing to read
 */
export async function examine(
  subject: Subject,
  watched: Watched = { fold: new EvidenceFold(), complete: true },
): Promise<Examination> {
  const { fold } = watched
  const options = { ...subject, add: (span: Parameters<EvidenceFold['add']>[0]) => fold.add(span) }
  if (subject.files.length > 0) return conclude(watched, await readSpanFiles(subject.files, options))
  const first = conclude(watched, await readTraceStore(options))
  if (first.reading.complete) return first
  const moments = first.diagnosis.findings.filter(({ sinceMs }) => sinceMs !== undefined).slice(0, maxMoments)
  let reading = first.reading
  for (const { owner, sinceMs = 0 } of moments) reading = sum(reading, await readAround(options, owner.mesh, sinceMs))
  return moments.length === 0 ? first : conclude(watched, reading)
}

function conclude(watched: Watched, reading: Reading): Examination {
  watched.complete &&= reading.complete
  const evidence = watched.fold.evidence({ complete: watched.complete, partial: reading.partial })
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
