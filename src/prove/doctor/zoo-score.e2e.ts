import { isDeepStrictEqual } from 'node:util'
import { recordings } from '../../zoo/recording.ts'
import type { SubjectScore } from '../../zoo/score.ts'
import { recordedSubjects, type ScoreReport, type Source, scoreAll, wholeScore } from '../../zoo/score-all.ts'
import { scoreTable } from '../../zoo/score-table.ts'
import { shapes } from '../../zoo/shapes.ts'
import { count, isRecognized, mostUnclear, wrong } from '../../zoo/summary.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, type Check, each, equals, type ProofContext } from '../proof.ts'

/** Of the errors of a baseline. */
const mostErrors = 0.25

export const proof = endToEnd({
  name: 'zoo-score',
  about: `every disease of the zoo in ${wholeScore.runs} runs, recorded and simulated, each also with losses and without its rule, and ${wholeScore.cleanRuns} clean runs: named with its owner, without a false alarm, and better than two baselines`,
  quick: false,
  seconds: 1_500,
  async run(context) {
    const recorded = await scoreOf('recorded', context)
    const simulated = await scoreOf('simulated', context)
    return {
      figures: { recorded: figuresOf(recorded), simulated: figuresOf(simulated) },
      checks: [...checksOf('recorded', recorded), ...checksOf('simulated', simulated), await replayCheck(context.seed)],
    }
  },
})

function scoreOf(source: Source, { progress, signal }: ProofContext): Promise<ScoreReport> {
  const io = { err: (text: string) => progress(`${source}, ${text.trimEnd()}`) }
  return scoreAll({ ...wholeScore, pattern: /(?:)/, source, directory: recordings, io, signal })
}

function figuresOf(report: ScoreReport) {
  const { hash, summary } = report
  return { hash, summary, table: scoreTable(report) }
}

/** Two sources are two scores: neither makes up for the other. */
function checksOf(source: Source, { scores, summary }: ScoreReport): Check[] {
  const { cleanRuns, falseAlarms, unclear, leftOut, lossy, runs, errors, baselineErrors } = summary
  const ill = scores.filter(({ disease }) => disease !== null)
  const scored = new Set(ill.map(({ disease }) => disease))
  const here = source === 'recorded' ? shapes : shapes.filter(({ isSimulated }) => isSimulated)
  const wanted = [...new Set(here.map(({ disease }) => disease))]
  const checks = [
    each('diseases of the zoo that have runs', 'all that live here', wanted, (disease) => scored.has(disease)),
    each(
      'diseases with class and owner right as the first answer',
      'in 19 of 20 runs',
      ill.map(rowOf),
      ({ isNamed }) => isNamed,
    ),
    atLeast('clean runs', wholeScore.cleanRuns, cleanRuns),
    equals('clean runs with a false alarm', 0, falseAlarms),
    atMost('clean runs without enough evidence, of all', mostUnclear, unclear / cleanRuns),
    atLeast('without its rule: growth of unknown cause at the right owner', 0.9, leftOut.unknown / leftOut.runs),
    atMost('without its rule: a wrong name', 0.05, leftOut.wrong / runs),
    atLeast('with losses: the verdict is kept', 0.9, lossy.right / lossy.runs),
    equals('with losses: wrong names', 0, lossy.wrong),
    equals('with losses: neither the verdict nor "not enough evidence"', 0, lossy.missed),
    ...Object.entries(baselineErrors).map(([name, theirs]) =>
      atMost(`errors, of those of the baseline ${name}`, mostErrors, errors / theirs),
    ),
  ]
  return checks.map((check) => ({ ...check, what: `${source}: ${check.what}` }))
}

function rowOf(score: SubjectScore) {
  const { subject, disease, runs, doctor } = score
  return {
    subject,
    disease,
    right: `${count(doctor, 'right')} of ${runs}`,
    wrong: wrong(doctor),
    isNamed: isRecognized(score),
  }
}

/** Its seed alone decides a run. */
async function replayCheck(seed: number): Promise<Check> {
  const [subject] = await recordedSubjects(recordings)
  const [one, other] = [await subject?.run(seed), await subject?.run(seed)]
  return equals('two runs of one seed: the same spans', true, isDeepStrictEqual(one, other))
}
