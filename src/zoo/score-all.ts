import type { Terminal } from '../commands/command.ts'
import { rules } from '../doctor/rules/all.ts'
import { keepFirstScore } from './first-scores.ts'
import { recordingNames, recordings } from './recording.ts'
import { rulesHash } from './rules-hash.ts'
import { type SubjectScore, scoreSubject } from './score.ts'
import { recordedSubject, type Subject, simulatedSubjects } from './subject.ts'
import { isPassed, summaryOf } from './summary.ts'

/** Where runs come from: the spans of real processes, or the simulator. */
export type Source = 'recorded' | 'simulated'

/** What a whole score has at least: runs of each disease, and clean ones in all. */
export const wholeScore = { runs: 20, cleanRuns: 300 } as const

interface ScoreOptions {
  readonly runs: number
  readonly cleanRuns: number
  readonly pattern: RegExp
  readonly source: Source
  readonly directory: string
  readonly io: Pick<Terminal, 'err'>
  readonly signal?: AbortSignal
}

/** The score of all runs. */
export interface ScoreReport {
  /** Of rules, thresholds and evidence: the seeds derive from it. */
  readonly hash: string
  readonly scores: readonly SubjectScore[]
  readonly summary: ReturnType<typeof summaryOf>
  readonly isPassed: boolean
}

export async function scoreAll(options: ScoreOptions): Promise<ScoreReport> {
  const { runs, cleanRuns, pattern, source, directory, io, signal } = options
  const hash = rulesHash()
  const all = source === 'simulated' ? await simulatedSubjects() : await recordedSubjects(directory)
  const subjects = all.filter(({ name }) => pattern.test(name))
  const cleanCount = subjects.filter(({ disease }) => disease === null).length
  const scores: SubjectScore[] = []
  for (const subject of subjects) {
    signal?.throwIfAborted()
    const count = subject.disease === null ? Math.ceil(cleanRuns / cleanCount) : runs
    const score = await scoreSubject(subject, rules, hash, count)
    io.err(`${subject.name}: ${score.doctor.right ?? 0} of ${count} right\n`)
    scores.push(score)
  }
  const summary = summaryOf(scores)
  const isFull = runs >= wholeScore.runs && cleanRuns >= wholeScore.cleanRuns
  const isWhole = isFull && subjects.length === all.length && directory === recordings
  if (isWhole) await keepFirstScore(hash, source, summary)
  return { hash, scores, summary, isPassed: isPassed(summary) }
}

export async function recordedSubjects(directory: string): Promise<readonly Subject[]> {
  const names = await recordingNames(directory)
  return Promise.all(names.map((name) => recordedSubject(name, directory)))
}
