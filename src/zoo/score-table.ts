import { align } from './align.ts'
import type { ScoreReport } from './score-all.ts'
import { count, type Summary, wrong } from './summary.ts'

/** The score as text: a row per subject, what all of them come to, and where the doctor was wrong. */
export function scoreTable({ hash, scores, summary }: ScoreReport): string {
  const names = Object.keys(summary.baselineErrors)
  const header = [
    'recording',
    'disease',
    'right',
    'wrong',
    'missed',
    'left out',
    'wrong',
    'lossy',
    'wrong',
    'named after',
    ...names,
  ]
  const rows = scores.map(({ subject, disease, runs, doctor, leftOut, lossy, named, baselines }) => [
    subject,
    disease ?? '-',
    `${count(doctor, 'right')}/${runs}`,
    String(wrong(doctor)),
    String(count(doctor, 'missed', 'unknown', 'insufficient', 'unclear')),
    leftOut === undefined ? '-' : `${count(leftOut, 'unknown')}/${runs}`,
    leftOut === undefined ? '-' : String(wrong(leftOut)),
    `${count(lossy, 'right')}/${runs}`,
    String(wrong(lossy)),
    named === undefined ? '-' : `${named.seconds} s, ${named.events} joins`,
    ...names.map((name) => `${count(baselines[name] ?? {}, 'right')}/${runs}`),
  ])
  const mistakes = scores.flatMap(({ subject, mistakes }) =>
    [
      ...Map.groupBy(mistakes, ({ condition, outcome, answer }) => `${condition} ${outcome}: ${answer || 'nothing'}`),
    ].map(([text, all]) => `${subject}: ${all.length} x ${text.trim()}; seed ${all[0]?.seed}`),
  )
  return [`rules ${hash}`, '', align([header, ...rows]), '', summaryText(summary), '', ...mistakes, ''].join('\n')
}

function summaryText(summary: Summary): string {
  const { diseases, recognized, runs, right, cleanRuns, falseAlarms, unclear, leftOut, lossy, errors, baselineErrors } =
    summary
  return [
    `diseases named in 19 of 20 runs: ${recognized} of ${diseases}; runs right: ${right} of ${runs}`,
    `clean runs with a false alarm: ${falseAlarms} of ${cleanRuns}; without enough evidence: ${unclear}`,
    `without the rule: ${leftOut.unknown} of ${leftOut.runs} runs that grow have growth of unknown cause at the right node; wrong names: ${leftOut.wrong} of ${runs}`,
    `with losses: ${lossy.right} of ${lossy.runs} right, ${lossy.insufficient} not enough evidence, ${lossy.missed} missed, ${lossy.wrong} wrong names`,
    ...Object.entries(baselineErrors).map(
      ([name, theirs]) => `errors: ${errors}; ${name}: ${theirs}; ratio ${(errors / Math.max(1, theirs)).toFixed(2)}`,
    ),
  ].join('\n')
}
