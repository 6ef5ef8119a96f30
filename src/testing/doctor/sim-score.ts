import { type Diagnosis, diagnose } from '../../doctor/diagnose.ts'
import { EvidenceFold } from '../../doctor/evidence/fold.ts'
import { rules } from '../../doctor/rules/all.ts'
import { seededRandom } from '../random.ts'
import { losses } from './sim-losses.ts'
import type { Scenario, Truth } from './sim-scenario.ts'

/** How one run was judged. `right`: the first answer names the disease, its node and its part; a clean run has none. */
export interface Judgement {
  readonly seed: number
  readonly outcome: 'right' | 'insufficient' | 'missed' | 'wrong'
  /** The answers, the first one first. */
  readonly answers: readonly string[]
}

/** Runs a scenario and lets the doctor judge it from its spans alone. */
export async function judge(scenario: Scenario, seed: number, loss: keyof typeof losses = 'none'): Promise<Judgement> {
  const { spans, truth } = await scenario.run(seed)
  const fold = new EvidenceFold()
  for (const span of losses[loss](spans, seededRandom(seed), truth?.node ?? '')) fold.add(span)
  const diagnosis = diagnose(fold.evidence({ complete: true, partial: [] }), rules)
  return { seed, outcome: outcomeOf(diagnosis, scenario, truth), answers: diagnosis.findings.map(answerOf) }
}

function outcomeOf({ findings }: Diagnosis, { disease }: Scenario, truth: Truth | undefined): Judgement['outcome'] {
  const [first] = findings
  const isSure = first !== undefined && first.certainty !== 'insufficient'
  if (disease === 'clean') return isSure ? 'wrong' : 'right'
  if (first === undefined) return 'missed'
  if (!isSure) return 'insufficient'
  const { node, part } = first.owner
  const isOwner = node === truth?.node && (truth.part?.test(part) ?? true)
  return first.disease === disease && isOwner ? 'right' : 'wrong'
}

function answerOf({ disease, certainty, owner, summary, symptoms }: Diagnosis['findings'][number]): string {
  const explained = symptoms.length === 0 ? '' : ` (explains ${symptoms.map((one) => one.disease).join(', ')})`
  return `${disease} ${certainty} at ${owner.node || 'the mesh'}, ${owner.part}: ${summary}${explained}`
}
