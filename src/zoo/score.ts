import type { Diagnosis } from '../doctor/diagnose.ts'
import type { DiseaseName } from '../doctor/diseases.ts'
import type { Rule } from '../doctor/rule.ts'
import { seededRandom } from '../testing/random.ts'
import type { TraceSpan } from '../traces/trace.ts'
import { type Baseline, baselines } from './baselines/baselines.ts'
import { diagnoseSpans, evidenceOf, judge, judgeLossy, type Outcome, without } from './judge.ts'
import * as mutations from './mutate.ts'
import { seedOf } from './rules-hash.ts'
import type { Subject } from './subject.ts'
import { type TimeToName, timeToName } from './time-to-name.ts'

/** How often each outcome came. */
export type Tally = Readonly<Partial<Record<Outcome, number>>>

/** What the runs of one subject came to. */
export interface SubjectScore {
  readonly subject: string
  readonly disease: DiseaseName | null
  readonly runs: number
  readonly doctor: Tally
  readonly baselines: Readonly<Record<string, Tally>>
  /** Without the rule of its disease; absent for a run without a disease. */
  readonly leftOut?: Tally
  /** With much missing: 30 % lost, a gap, a silent node, skewed clocks. */
  readonly lossy: Tally
  /** Of the recording itself; absent if it is not named. */
  readonly named?: TimeToName
  /** What the doctor said where it was not right, with the seed of such a run. */
  readonly mistakes: readonly Mistake[]
}

export interface Mistake {
  /** With losses, or without the rule of the disease; otherwise empty. */
  readonly condition: '' | 'lossy' | 'left out'
  readonly seed: number
  readonly outcome: Outcome
  readonly answer: string
}

/** Twice the difference of clocks that the mesh tolerates. */
const skewMs = 2 * 5_000
const gapMs = 60_000
const lossShare = 0.3

/** A run with much missing; the seed decides what. `spared` are names of nodes that it does not silence. */
export function withLosses(spans: readonly TraceSpan[], spared: readonly string[], seed: number) {
  const random = seededRandom(seed ^ 0x5bd1e995)
  const losses = [
    () => mutations.loseShare(spans, lossShare, random),
    () => mutations.loseGap(spans, gapMs, random),
    () => mutations.silenceOne(spans, spared, random),
    () => mutations.skewClocks(spans, skewMs, random),
  ]
  return losses[Math.floor(random() * losses.length)]?.() ?? spans
}

/** Scores `runs` runs of a subject. */
export async function scoreSubject(
  subject: Subject,
  rules: readonly Rule[],
  hash: string,
  runs: number,
): Promise<SubjectScore> {
  const { disease, recording } = subject
  const counts = { doctor: new Counts(), lossy: new Counts(), leftOut: new Counts() }
  const others = new Map(baselines.map(({ name }) => [name, new Counts()]))
  const mistakes: Mistake[] = []
  const note = (condition: Mistake['condition'], seed: number, outcome: Outcome, diagnosis: Diagnosis) =>
    mistakes.push({ condition, seed, outcome, answer: answerOf(diagnosis) })
  for (let run = 0; run < runs; run++) {
    const seed = seedOf(hash, subject.name, run)
    const { spans, truth } = await subject.run(seed)
    const diagnosis = diagnoseSpans(spans, rules)
    const outcome = judge(diagnosis, truth)
    counts.doctor.add(outcome)
    if (outcome !== 'right') note('', seed, outcome, diagnosis)
    const lossy = diagnoseSpans(withLosses(spans, truth.nodes, seed), rules)
    const lossyOutcome = judgeLossy(lossy, truth)
    counts.lossy.add(lossyOutcome)
    if (lossyOutcome !== 'right') note('lossy', seed, lossyOutcome, lossy)
    if (disease !== null) {
      const leftOut = diagnoseSpans(spans, without(rules, disease))
      const leftOutOutcome = judge(leftOut, truth)
      counts.leftOut.add(leftOutOutcome)
      if (leftOutOutcome !== 'unknown') note('left out', seed, leftOutOutcome, leftOut)
    }
    const evidence = evidenceOf(spans)
    for (const one of baselines) others.get(one.name)?.add(judge({ findings: answersOf(one, evidence) }, truth))
  }
  const named = disease === null || recording === undefined ? undefined : timeToName(recording, rules)
  return {
    subject: subject.name,
    disease,
    runs,
    doctor: counts.doctor.tally,
    baselines: Object.fromEntries([...others].map(([name, { tally }]) => [name, tally])),
    ...(disease !== null && { leftOut: counts.leftOut.tally }),
    lossy: counts.lossy.tally,
    ...(named && { named }),
    mistakes,
  }
}

function answerOf({ findings: [first] }: Diagnosis): string {
  return first === undefined ? '' : `${first.disease} at ${first.owner.node || 'the mesh'}, ${first.owner.part}`
}

function answersOf({ find }: Baseline, evidence: ReturnType<typeof evidenceOf>): Diagnosis['findings'] {
  return find(evidence).map((finding) => ({ ...finding, symptoms: [] }))
}

class Counts {
  readonly tally: Partial<Record<Outcome, number>> = {}

  add(outcome: Outcome): void {
    this.tally[outcome] = (this.tally[outcome] ?? 0) + 1
  }
}
