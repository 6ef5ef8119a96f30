import { growing } from '../doctor/diseases.ts'
import type { Outcome } from './judge.ts'
import type { SubjectScore, Tally } from './score.ts'

/** What all runs come to. */
export interface Summary {
  readonly diseases: number
  /** Diseases with 95 % right answers. */
  readonly recognized: number
  readonly runs: number
  readonly right: number
  readonly cleanRuns: number
  readonly falseAlarms: number
  /** Clean runs without an all-clear, for lack of evidence: the command ends with exit code 3. */
  readonly unclear: number
  /** Without the rule of their disease: `runs` and `unknown` are of diseases that grow, `wrong` is of all. */
  readonly leftOut: { readonly runs: number; readonly unknown: number; readonly wrong: number }
  /** `missed`: nothing was found. What is left is growth of unknown cause: what is missing would say the cause. */
  readonly lossy: {
    readonly runs: number
    readonly right: number
    readonly insufficient: number
    readonly missed: number
    readonly wrong: number
  }
  readonly errors: number
  /** Errors of each baseline. */
  readonly baselineErrors: Readonly<Record<string, number>>
}

export function summaryOf(scores: readonly SubjectScore[]): Summary {
  const ill = scores.filter(({ disease }) => disease !== null)
  const clean = scores.filter(({ disease }) => disease === null)
  const grown = ill.filter(({ disease }) => disease !== null && growing.includes(disease))
  const sum = (some: readonly SubjectScore[], of: (score: SubjectScore) => number) =>
    some.reduce((total, score) => total + of(score), 0)
  const runs = (some: readonly SubjectScore[]) => sum(some, (score) => score.runs)
  const names = Object.keys(scores[0]?.baselines ?? {})
  return {
    diseases: ill.length,
    recognized: ill.filter(isRecognized).length,
    runs: runs(ill),
    right: sum(ill, ({ doctor }) => count(doctor, 'right')),
    cleanRuns: runs(clean),
    falseAlarms: sum(clean, ({ doctor }) => wrong(doctor)),
    unclear: sum(clean, ({ doctor }) => count(doctor, 'unclear')),
    leftOut: {
      runs: runs(grown),
      unknown: sum(grown, ({ leftOut = {} }) => count(leftOut, 'unknown')),
      wrong: sum(ill, ({ leftOut = {} }) => wrong(leftOut)),
    },
    lossy: {
      runs: runs(scores),
      right: sum(scores, ({ lossy }) => count(lossy, 'right')),
      insufficient: sum(scores, ({ lossy }) => count(lossy, 'insufficient')),
      missed: sum(scores, ({ lossy }) => count(lossy, 'missed')),
      wrong: sum(scores, ({ lossy }) => wrong(lossy)),
    },
    errors: sum(scores, (score) => score.runs - count(score.doctor, 'right')),
    baselineErrors: Object.fromEntries(
      names.map((name) => [name, sum(scores, (score) => score.runs - count(score.baselines[name] ?? {}, 'right'))]),
    ),
  }
}

export function isRecognized({ doctor, runs }: SubjectScore): boolean {
  return count(doctor, 'right') >= 0.95 * runs
}

/** Of the clean runs, so many may lack an all-clear. */
export const mostUnclear = 0.05

export function isPassed(summary: Summary): boolean {
  const { diseases, recognized, runs, cleanRuns, falseAlarms, unclear, leftOut, lossy, errors, baselineErrors } =
    summary
  return (
    recognized === diseases &&
    falseAlarms === 0 &&
    unclear <= mostUnclear * cleanRuns &&
    leftOut.unknown >= 0.9 * leftOut.runs &&
    leftOut.wrong <= 0.05 * runs &&
    lossy.right >= 0.9 * lossy.runs &&
    lossy.wrong + lossy.missed === 0 &&
    Object.values(baselineErrors).every((theirs) => errors <= 0.25 * theirs)
  )
}

export function count(tally: Tally, ...outcomes: readonly Outcome[]): number {
  return outcomes.reduce((sum, outcome) => sum + (tally[outcome] ?? 0), 0)
}

export function wrong(tally: Tally): number {
  return count(tally, 'wrong name', 'wrong owner')
}
