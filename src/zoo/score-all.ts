import type { Terminal } from '../commands/command.ts'
import { rules } from '../doctor/rules/all.ts'
import { keepFirstScore } from './first-scores.ts'
import { type Recording, readRecording, recordingNames } from './recording.ts'
import { rulesHash } from './rules-hash.ts'
import { cleanBeside, type RecordingScore, scoreRecording } from './score.ts'
import { isPassed, summaryOf } from './summary.ts'

interface ScoreOptions {
  readonly runs: number
  readonly cleanRuns: number
  readonly pattern: RegExp
  readonly directory: string
  readonly io: Pick<Terminal, 'err'>
}

/** The score of all recordings. */
export interface ScoreReport {
  /** Of rules, thresholds and evidence: the seeds derive from it. */
  readonly hash: string
  readonly scores: readonly RecordingScore[]
  readonly summary: ReturnType<typeof summaryOf>
  readonly isPassed: boolean
}

export async function scoreAll(options: ScoreOptions): Promise<ScoreReport> {
  const { runs, cleanRuns, pattern, directory, io } = options
  const hash = rulesHash()
  const names = (await recordingNames(directory)).filter((name) => pattern.test(name))
  const cleanCount = names.filter(isClean).length
  const scores: RecordingScore[] = []
  for (const name of names) {
    const recording: Recording = await readRecording(name, directory)
    const count = isClean(name) ? Math.ceil(cleanRuns / cleanCount) : runs
    const score = scoreRecording(recording, rules, hash, count, await cleanBeside(recording, directory))
    io.err(`${name}: ${score.doctor.right ?? 0} of ${count} right\n`)
    scores.push(score)
  }
  const summary = summaryOf(scores)
  const isWhole = pattern.source === '(?:)'
  if (isWhole) await keepFirstScore(hash, summary)
  return { hash, scores, summary, isPassed: isPassed(summary) }
}

function isClean(name: string): boolean {
  return name.startsWith('clean-')
}
