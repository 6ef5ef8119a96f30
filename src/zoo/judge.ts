import { type Diagnosis, diagnose } from '../doctor/diagnose.ts'
import type { DiseaseName } from '../doctor/diseases.ts'
import type { Evidence } from '../doctor/evidence/evidence.ts'
import { EvidenceFold } from '../doctor/evidence/fold.ts'
import type { Finding } from '../doctor/finding.ts'
import type { Rule } from '../doctor/rule.ts'
import type { TraceSpan } from '../traces/trace.ts'
import type { RecordedTruth } from './recording.ts'

/** How an answer compares with what is true. */
export type Outcome =
  | 'right'
  /** A disease that the run does not have. */
  | 'wrong name'
  /** The right disease, of another node or part. */
  | 'wrong owner'
  /** Growth without a name, of the right node. */
  | 'unknown'
  /** Not enough evidence. */
  | 'insufficient'
  /** Not enough evidence for a verdict about a run without a disease: no alarm, and no all-clear. */
  | 'unclear'
  /** Nothing found. */
  | 'missed'

const effectsOfLoss: readonly DiseaseName[] = ['telemetry-lost', 'clock-skew']

export type Truth = Pick<RecordedTruth, 'disease' | 'nodes' | 'part' | 'also'>

/** What the doctor says of these spans. */
export function diagnoseSpans(spans: readonly TraceSpan[], rules: readonly Rule[]): Diagnosis {
  return diagnose(evidenceOf(spans), rules)
}

export function evidenceOf(spans: readonly TraceSpan[]): Evidence {
  const fold = new EvidenceFold()
  for (const span of spans) fold.add(span)
  return fold.evidence({ complete: true, partial: [] })
}

/**
 * Judges a run that lost spans or has skewed clocks. The verdict is kept (`right`) if the planted disease is the first
 * answer besides those about the loss itself, which are true. An answer about lost spans alone says that there is not
 * enough evidence (`insufficient`). A disease that the run does not have is a wrong name as in any run.
 */
export function judgeLossy({ findings }: Pick<Diagnosis, 'findings'>, truth: Truth): Outcome {
  const outcome = judge({ findings }, { ...truth, also: [...truth.also, ...effectsOfLoss] })
  const saysLost = findings.some(({ disease }) => disease === 'telemetry-lost')
  return (outcome === 'missed' && saysLost) || outcome === 'unclear' ? 'insufficient' : outcome
}

/** Judges the first answer, of those about the planted disease or about nothing that is true. */
export function judge({ findings }: Pick<Diagnosis, 'findings'>, truth: Truth): Outcome {
  const first = findings.find(({ disease }) => disease === truth.disease || !truth.also.includes(disease))
  if (first === undefined) return truth.disease === null ? 'right' : 'missed'
  if (first.certainty === 'insufficient') return truth.disease === null ? 'unclear' : 'insufficient'
  if (truth.disease === null) return 'wrong name'
  if (first.disease === truth.disease) return ownsIt(first, truth) ? 'right' : 'wrong owner'
  if (first.disease === 'growth-unknown') return isAtNode(first, truth) ? 'unknown' : 'wrong owner'
  return 'wrong name'
}

function ownsIt(finding: Finding, truth: Truth): boolean {
  return isAtNode(finding, truth) && new RegExp(truth.part).test(finding.owner.part)
}

function isAtNode({ owner }: Finding, { nodes }: Truth): boolean {
  return nodes.length === 0 || nodes.includes(owner.node)
}

/** The rules without any finding of a disease, as if its rule did not exist. */
export function without(rules: readonly Rule[], disease: DiseaseName): Rule[] {
  return rules.map((rule) => ({
    name: rule.name,
    find: (evidence) => rule.find(evidence).filter((finding) => finding.disease !== disease),
  }))
}
