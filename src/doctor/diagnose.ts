import { type DiseaseName, diseaseNames, diseaseOf } from './diseases.ts'
import type { Evidence } from './evidence/evidence.ts'
import type { Instance } from './evidence/instance.ts'
import type { Certainty, Finding } from './finding.ts'
import type { Rule } from './rule.ts'

/** A finding with the findings that it explains. */
export interface RankedFinding extends Finding {
  readonly symptoms: readonly Finding[]
}

/** What the doctor says of the evidence. */
export interface Diagnosis {
  /** The most certain cause first; symptoms stand with their cause. */
  readonly findings: readonly RankedFinding[]
  /** `ill`: something is certain or likely. `unclear`: the evidence is not enough. */
  readonly verdict: 'healthy' | 'ill' | 'unclear'
  /** Why the evidence may be incomplete. */
  readonly partial: readonly string[]
}

/** A symptom may be seen this much earlier than its cause: censuses are 30 s apart, floors up to minutes. */
const slackMs = 180_000
const certainties: readonly Certainty[] = ['certain', 'likely', 'insufficient']

/**
 * Applies the rules and ranks what they find: a cause before its symptoms, the certain before the likely. `isWanted`
 * leaves findings out before that, so that a symptom of one that is left out stands for itself.
 */
export function diagnose(
  evidence: Evidence,
  rules: readonly Rule[],
  isWanted: (finding: Finding) => boolean = () => true,
): Diagnosis {
  const found = rules
    .flatMap((rule) => rule.find(evidence))
    .filter(isWanted)
    .toSorted(byRank)
  // Of two that explain each other, the first is the cause.
  const isSymptom = (finding: Finding, index: number) =>
    found.some(
      (other, at) => other !== finding && explains(other, finding) && (at < index || !explains(finding, other)),
    )
  const causes = found.filter((finding, index) => !isSymptom(finding, index))
  const findings = causes.map((cause) => ({
    ...cause,
    symptoms: found.filter((other) => other !== cause && explains(cause, other)),
  }))
  return { findings, verdict: verdictOf(evidence, findings), partial: evidence.partial }
}

/** What these findings say of the evidence. */
export function verdictOf(evidence: Evidence, findings: readonly Finding[]): Diagnosis['verdict'] {
  if (findings.some(({ certainty }) => certainty !== 'insufficient')) return 'ill'
  const hasCensus = evidence.instances.some(({ censuses }) => censuses.length === 2)
  const isJudged = hasCensus && !evidence.instances.some(isSilent)
  return findings.length > 0 || !isJudged || evidence.partial.length > 0 ? 'unclear' : 'healthy'
}

/** Three censuses are due within this time. */
const censusMs = 95_000

/** A process that ran long enough for a census, and has none: nothing of it could be counted. */
function isSilent({ hasCensus, firstMs, lastMs }: Instance): boolean {
  return !hasCensus && lastMs - firstMs >= censusMs
}

function explains(cause: Finding, symptom: Finding): boolean {
  const match = diseaseOf(cause.disease).causes?.find(({ disease }) => disease === symptom.disease)
  if (match === undefined || cause.certainty === 'insufficient' || cause.owner.mesh !== symptom.owner.mesh) return false
  if (match.at === 'owner' && symptom.owner.node !== cause.owner.node) return false
  if (match.at === 'node' && !namesOf(symptom).some((node) => namesOf(cause).includes(node))) return false
  if (match.part !== undefined && !symptom.owner.part.startsWith(match.part)) return false
  return symptom.sinceMs === undefined || cause.sinceMs === undefined || symptom.sinceMs >= cause.sinceMs - slackMs
}

/** The nodes of a finding: a pair, for example, has two, and which of them is the owner may be open. */
function namesOf({ owner, alsoAt = [] }: Finding): readonly string[] {
  return [owner.node, ...alsoAt]
}

function byRank(a: Finding, b: Finding): number {
  return (
    certaintyRank(a) - certaintyRank(b) ||
    rankOf(a.disease) - rankOf(b.disease) ||
    (b.growth?.perHour ?? 0) - (a.growth?.perHour ?? 0)
  )
}

/** Lost spans are why something is not sure, so they come before that; what is sure in spite of them comes first. */
function certaintyRank({ disease, certainty }: Finding): number {
  const rank = certainties.indexOf(certainty)
  return disease === 'telemetry-lost' ? Math.max(rank, certainties.indexOf('likely') + 0.5) : rank
}

function rankOf(disease: DiseaseName): number {
  return diseaseNames.indexOf(disease)
}
