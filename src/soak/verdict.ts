import type { Diagnosis, RankedFinding } from '../doctor/diagnose.ts'
import { type DiseaseName, leaking } from '../doctor/diseases.ts'
import { bytesText } from '../doctor/report/amounts.ts'
import { type CountRow, isUnexplained, leastPart, leastRise } from './counts.ts'
import type { MemoryBound } from './memory-bounds.ts'

export type Verdict = 'pass' | 'leak' | 'undecided'

/** What a verdict rests on. */
export interface SoakBasis {
  readonly diagnosis: Pick<Diagnosis, 'findings' | 'partial'>
  readonly counts: readonly CountRow[]
  readonly memory: readonly MemoryBound[]
  /** Between the readings. */
  readonly lives: number
  readonly failed: number
  /** Bytes per life that a pass excludes. */
  readonly within: number
  /** Why the soak did not run as planned, in words. */
  readonly disturbances: readonly string[]
}

export interface Judgement {
  readonly verdict: Verdict
  /** Sentences: what leaks, or what keeps the soak from a decision. */
  readonly reasons: readonly string[]
  /** The leaks that the doctor found. */
  readonly leaks: readonly RankedFinding[]
}

/** Diseases of the evidence: with one of them less was seen than a pass claims. */
const blindDiseases: readonly DiseaseName[] = ['telemetry-lost', 'starved-judge']
/** With fewer lives even something that every second one leaves behind is not seen. */
const leastLives = 2 * leastRise
/** Of the lives, so many have to join and leave. */
const leastJoined = 0.5

/** A leak is what the doctor says; a pass needs evidence that would have shown one. */
export function judgeSoak(basis: SoakBasis): Judgement {
  const { findings } = basis.diagnosis
  const leaks = findings.filter(isLeakFound)
  if (leaks.length > 0) return { verdict: 'leak', reasons: leaks.map(leakText), leaks }
  const doubts = doubtsOf(basis)
  return { verdict: doubts.length === 0 ? 'pass' : 'undecided', reasons: doubts, leaks }
}

/** One line about a leak: how sure, what, and whose. */
export function leakText({ disease, certainty, owner, summary }: RankedFinding): string {
  return `${certainty}: ${disease} at ${owner.node === '' ? owner.mesh : owner.node}, ${owner.part}: ${summary}`
}

function doubtsOf({ diagnosis, counts, memory, lives, failed, within, disturbances }: SoakBasis): string[] {
  const { findings, partial } = diagnosis
  return [
    ...disturbances,
    ...(lives < leastLives
      ? [`${lives} lives, and at least ${leastLives} are needed: run longer, or with more churn`]
      : []),
    ...(lives >= leastLives && lives - failed < leastJoined * lives
      ? [`${failed} of ${lives} lives failed, so few joined and left`]
      : []),
    ...partial.map((why) => `not all spans were read: ${why}`),
    ...findings
      .filter(({ disease }) => blindDiseases.includes(disease))
      .map((one) => `the evidence is weak: ${leakText(one)}`),
    ...findings
      .filter(({ disease, certainty }) => isLeak(disease) && certainty === 'insufficient')
      .map((one) => `${leakText(one)}; it needs ${one.missing ?? 'more evidence'}`),
    ...counts.filter((row) => isUnexplained(row, lives)).map(riseText),
    ...(memory.length === 0 ? ['no process of the mesh was seen at both readings'] : []),
    ...memoryDoubts(memory, within),
  ]
}

/** Whether the doctor found a leak, for certain or likely. */
export function isLeakFound({ disease, certainty }: RankedFinding): boolean {
  return isLeak(disease) && certainty !== 'insufficient'
}

/** Part of the lives that something which stays would have needed to be seen at one node; null without lives. */
export function leastCountedPart(lives: number): number | null {
  return lives > 0 ? Math.max(leastRise / lives, leastPart) : null
}

function isLeak(disease: DiseaseName): boolean {
  return leaking.includes(disease)
}

function riseText({ what, worst, perLife }: CountRow): string {
  return `${what} rose by ${worst.rise} at ${worst.node} (${perLife.toFixed(2)} per life), and no rule of the doctor names it`
}

/** Of the nodes with the same doubt the worst is named. */
function memoryDoubts(memory: readonly MemoryBound[], within: number): string[] {
  const unbound = memory.filter(({ perLife }) => perLife === undefined)
  const [fewest] = unbound.toSorted((a, b) => a.floors.length - b.floors.length)
  const wide = (['heap', 'external'] as const).flatMap((of) => {
    const above = memory.filter(({ kind, perLife }) => kind === of && perLife !== undefined && perLife.high > within)
    const [worst] = above.toSorted((a, b) => (b.perLife?.high ?? 0) - (a.perLife?.high ?? 0))
    return worst === undefined ? [] : [wideText(worst, within)]
  })
  if (fewest === undefined) return wide
  const few = `${fewest.floors.length} major collections of ${fewest.node}, and four bound the growth of its memory`
  return [`${few}: run longer`, ...wide]
}

function wideText({ node, kind, perLife }: MemoryBound, within: number): string {
  const [low, high] = [perLife?.low ?? 0, perLife?.high ?? 0].map(bytesText)
  return `${kind} of ${node} grew by ${low} to ${high} per life, and a pass is up to ${bytesText(within)}: run longer`
}
