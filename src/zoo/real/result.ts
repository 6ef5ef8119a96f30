import type { Diagnosis } from '../../doctor/diagnose.ts'
import type { DiseaseName } from '../../doctor/diseases.ts'
import type { Rule } from '../../doctor/rule.ts'
import { diagnoseSpans, judge, type Outcome } from '../judge.ts'
import type { RecordedTruth, Recording } from '../recording.ts'
import type { Scene } from '../scene.ts'
import { timeToName } from '../time-to-name.ts'

/** What one run of real processes came to. */
export interface RealResult {
  readonly name: string
  /** Null for a run without a disease. */
  readonly disease: DiseaseName | null
  /** `not planted`: what the run is about did not happen, so it says nothing. */
  readonly outcome: Outcome | 'not planted'
  /** What the doctor said first; empty for nothing. Of a run that was not planted, why. */
  readonly answer: string
  /** From the plant until the doctor names the disease for good, and peers that joined meanwhile. */
  readonly seconds?: number
  readonly events?: number
  /** Of the whole run, from its first process to the end of its last. */
  readonly tookMs: number
  /** ISO time of its end. */
  readonly at: string
}

/** The outcomes that are no mistake of a program from outside the kit, of which no rule knows. */
const modest: readonly Outcome[] = ['unknown', 'missed']

/** What the doctor says of a run. */
export function resultOf(
  scene: Scene,
  { spans, truth }: Pick<Recording, 'spans' | 'truth'>,
  rules: readonly Rule[],
): Pick<RealResult, 'disease' | 'outcome' | 'answer' | 'seconds' | 'events'> {
  const diagnosis = diagnoseSpans(spans, rules)
  const judged = judge(diagnosis, truth)
  const outcome = scene.truth?.isOutside === true && modest.includes(judged) ? 'right' : judged
  const named = truth.disease === null ? undefined : timeToName({ name: scene.name, spans, truth }, rules)
  return { disease: truth.disease, outcome, answer: answerOf(diagnosis, truth.also), ...named }
}

/** The first finding, of those that are not just the machine. */
function answerOf({ findings }: Pick<Diagnosis, 'findings'>, also: RecordedTruth['also']): string {
  const first = findings.find(({ disease }) => !also.includes(disease)) ?? findings[0]
  if (first === undefined) return ''
  const { disease, certainty, owner } = first
  return `${certainty} ${disease} at ${owner.node || owner.mesh}, ${owner.part}`
}
