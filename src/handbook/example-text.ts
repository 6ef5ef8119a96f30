import { diagnose, type RankedFinding } from '../doctor/diagnose.ts'
import { type DiseaseName, diseaseOf } from '../doctor/diseases.ts'
import { EvidenceFold } from '../doctor/evidence/fold.ts'
import { rules } from '../doctor/rules/all.ts'
import { exampleOf } from '../testing/doctor/examples.ts'

/** What the doctor finds in the example of a disease, its first answer first. */
export function exampleFindings(disease: DiseaseName): readonly RankedFinding[] {
  const fold = new EvidenceFold()
  for (const span of exampleOf(disease)) fold.add(span)
  return diagnose(fold.evidence({ complete: true, partial: [] }), rules).findings
}

/**
 * The first answer of the doctor as lines of text.
 *
 * @throws Error if it is another disease
 */
export function exampleText(disease: DiseaseName): readonly string[] {
  const [first] = exampleFindings(disease)
  if (first?.disease !== disease) throw new Error(`the doctor finds ${first?.disease} in the example of ${disease}`)
  return linesOf(first)
}

function linesOf({ disease, certainty, owner, summary, sinceMs, growth, proof, symptoms }: RankedFinding): string[] {
  const { title, remedy } = diseaseOf(disease)
  return [
    `${title} (${certainty})`,
    `  where    ${owner.node || 'all nodes'} of ${owner.mesh}: ${owner.part}`,
    `  what     ${summary}`,
    ...(sinceMs === undefined ? [] : [`  since    ${utc(sinceMs)}`]),
    ...(growth === undefined ? [] : [`  growth   ${amount(growth.perHour, growth.unit)} per hour`]),
    ...(symptoms.length === 0 ? [] : [`  explains ${symptoms.map((one) => diseaseOf(one.disease).title).join(', ')}`]),
    ...(proof.length === 0 ? [] : [`  proof    ${proofText(proof.map(({ span }) => span))}`]),
    `  cure     ${remedy}`,
  ]
}

function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(11, 19)} UTC`
}

function amount(count: number, unit: string): string {
  return unit === 'By' ? `${Math.round(count / 1_048_576)} MiB` : `${count} ${unit}`
}

/** Names of spans, each once, with their number. */
function proofText(names: readonly string[]): string {
  const counts = Object.entries(Object.groupBy(names, (name) => name))
  return counts.map(([name, all]) => `${all?.length ?? 0} × ${name}`).join(', ')
}
