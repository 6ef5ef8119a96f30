import type { Outcome } from './judge.ts'
import type { RecordingScore, Tally } from './score.ts'

/** The score as text: a row per recording, then what all of them come to. */
export function scoreTable(scores: readonly RecordingScore[]): string {
  const header = [
    'recording',
    'disease',
    'right',
    'wrong',
    'missed',
    'left out: unknown/wrong',
    'lossy: right/wrong',
    ...names(scores),
  ]
  const rows = scores.map((score) => [
    score.recording,
    score.disease ?? '-',
    share(score.doctor, score.runs, 'right'),
    String(wrong(score.doctor)),
    String(count(score.doctor, 'missed', 'unknown', 'insufficient')),
    score.leftOut === undefined ? '' : `${count(score.leftOut, 'unknown')}/${wrong(score.leftOut)}`,
    `${count(score.lossy, 'right')}/${wrong(score.lossy)}`,
    ...Object.values(score.baselines).map((tally) => share(tally, score.runs, 'right')),
  ])
  return `${align([header, ...rows])}\n\n${summary(scores)}\n`
}

/** What must be shown, and whether it is. */
export function summary(scores: readonly RecordingScore[]): string {
  const ill = scores.filter(({ disease }) => disease !== null)
  const clean = scores.filter(({ disease }) => disease === null)
  const sum = (some: readonly RecordingScore[], of: (score: RecordingScore) => number) =>
    some.reduce((total, score) => total + of(score), 0)
  const runs = sum(ill, (score) => score.runs)
  const errors = sum(scores, (score) => score.runs - count(score.doctor, 'right'))
  const atLeast95 = ill.filter((score) => count(score.doctor, 'right') >= 0.95 * score.runs).length
  const lines = [
    `diseases with 19 of 20 right: ${atLeast95} of ${ill.length}`,
    `clean runs: ${sum(clean, (score) => score.runs)}, false alarms ${sum(clean, (score) => wrong(score.doctor))}`,
    `left out: unknown ${sum(ill, (score) => count(score.leftOut ?? {}, 'unknown'))}, wrong names ${sum(ill, (score) => wrong(score.leftOut ?? {}))} of ${runs}`,
    `lossy: right ${sum(ill, (score) => count(score.lossy, 'right'))}, wrong names ${sum(scores, (score) => wrong(score.lossy))} of ${sum(scores, (score) => score.runs)}`,
    ...names(scores).map((name) => {
      const theirs = sum(scores, (score) => score.runs - count(score.baselines[name] ?? {}, 'right'))
      return `errors: ${errors}, ${name} ${theirs}, ratio ${(errors / Math.max(1, theirs)).toFixed(2)}`
    }),
  ]
  return lines.join('\n')
}

export function count(tally: Tally, ...outcomes: readonly Outcome[]): number {
  return outcomes.reduce((sum, outcome) => sum + (tally[outcome] ?? 0), 0)
}

export function wrong(tally: Tally): number {
  return count(tally, 'wrong name', 'wrong owner')
}

function names(scores: readonly RecordingScore[]): string[] {
  return Object.keys(scores[0]?.baselines ?? {})
}

function share(tally: Tally, runs: number, outcome: Outcome): string {
  return `${count(tally, outcome)}/${runs}`
}

export function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
