import { type DiseaseName, diseaseNames, growing } from './diseases.ts'
import type { Evidence } from './evidence/evidence.ts'
import type { Instance } from './evidence/instance.ts'
import { explains } from './explanation.ts'
import type { Certainty, Finding } from './finding.ts'
import { currentMs, timesLeast } from './judgement/thresholds.ts'
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

/** A process that ran long enough for three censuses, and has none: nothing of it could be counted. */
function isSilent({ hasCensus, firstMs, lastMs }: Instance): boolean {
  return !hasCensus && lastMs - firstMs >= currentMs
}

/** Of what grows, that which grows by far more comes first; of the same size, the one that names its owner more exactly. */
function byRank(a: Finding, b: Finding): number {
  return (
    certaintyRank(a) - certaintyRank(b) ||
    groupOf(a.disease) - groupOf(b.disease) ||
    sizeOf(b) - sizeOf(a) ||
    rankOf(a.disease) - rankOf(b.disease) ||
    (b.growth?.perHour ?? 0) - (a.growth?.perHour ?? 0)
  )
}

/** Faults, what grows, what is known only to grow, and what is left. */
function groupOf(disease: DiseaseName): number {
  if (disease === 'growth-unknown') return 2
  if (growing.includes(disease)) return 1
  return rankOf(disease) < Math.min(...growing.map(rankOf)) ? 0 : 3
}

/** Rises of which one is less than this many times the other are of one size. */
const sizeStep = 4

/** The size of a growth, in steps; 0 if none is known. */
function sizeOf({ growth }: Finding): number {
  const times = growth === undefined ? 1 : timesLeast(growth.to - growth.from, growth.unit)
  return Math.max(0, Math.floor(Math.log(Math.max(1, times)) / Math.log(sizeStep)))
}

/** Lost spans are why something is not sure, so they come before that; what is sure in spite of them comes first. */
function certaintyRank({ disease, certainty }: Finding): number {
  const rank = certainties.indexOf(certainty)
  return disease === 'telemetry-lost' ? Math.max(rank, certainties.indexOf('likely') + 0.5) : rank
}

function rankOf(disease: DiseaseName): number {
  return diseaseNames.indexOf(disease)
}
