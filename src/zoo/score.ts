import type { DiseaseName } from '../doctor/diseases.ts'
import { EvidenceFold } from '../doctor/evidence/fold.ts'
import type { Rule } from '../doctor/rule.ts'
import { seededRandom } from '../testing/random.ts'
import type { TraceSpan } from '../traces/trace.ts'
import { baselines } from './baselines/baselines.ts'
import { examine, judge, type Outcome, without } from './judge.ts'
import * as mutations from './mutate.ts'
import { type Recording, readRecording } from './recording.ts'
import { seedOf } from './rules-hash.ts'
import { type TimeToName, timeToName } from './time-to-name.ts'

/** How often each outcome came. */
export type Tally = Readonly<Partial<Record<Outcome, number>>>

/** What the runs of one recording came to. */
export interface RecordingScore {
  readonly recording: string
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
  readonly seed: number
  readonly outcome: Outcome
  readonly answer: string
}

const skewMs = 2 * 2_000
const gapMs = 60_000
const lossShare = 0.3
/** Every so many runs have another, clean mesh beside. */
const besideEvery = 3
const quiet = 'clean-quiet'

/** The spans of one run; the seed alone decides them. `clean` may stand beside as another mesh. */
export function spansOfRun({ spans }: Recording, seed: number, clean?: Recording): readonly TraceSpan[] {
  const random = seededRandom(seed)
  const mutated = mutations.mutate(spans, random)
  return clean !== undefined && seed % besideEvery === 0 ? mutations.beside(mutated, clean.spans) : mutated
}

/** The clean run that may stand beside a run of this recording; none beside itself. */
export async function cleanBeside({ name }: Recording, directory: string): Promise<Recording | undefined> {
  return name === quiet ? undefined : await readRecording(quiet, directory).catch(() => undefined)
}

/** The same run with much missing; the seed decides what. */
export function withLosses(spans: readonly TraceSpan[], spared: readonly string[], seed: number) {
  const random = seededRandom(seed ^ 0x5bd1e995)
  const losses = [
    () => mutations.loseShare(spans, lossShare, random),
    () => mutations.loseGap(spans, gapMs, random),
    () => mutations.silenceOne(spans, spared, random),
    () => mutations.skewClocks(spans, skewMs, random),
  ]
  return (losses[seed % losses.length] ?? losses[0])?.() ?? spans
}

/** Scores `runs` mutations of a recording. */
export function scoreRecording(
  recording: Recording,
  rules: readonly Rule[],
  hash: string,
  runs: number,
  clean?: Recording,
): RecordingScore {
  const { truth } = recording
  const doctor = new Counts()
  const lossy = new Counts()
  const leftOut = new Counts()
  const others = new Map(baselines.map(({ name }) => [name, new Counts()]))
  const mistakes: Mistake[] = []
  for (let run = 0; run < runs; run++) {
    const seed = seedOf(hash, recording.name, run)
    const spans = spansOfRun(recording, seed, clean)
    const diagnosis = examine(spans, rules)
    const outcome = judge(diagnosis, truth)
    doctor.add(outcome)
    const [first] = diagnosis.findings
    if (outcome !== 'right')
      mistakes.push({ seed, outcome, answer: first ? `${first.disease} ${first.owner.node} ${first.owner.part}` : '' })
    lossy.add(judge(examine(withLosses(spans, truth.nodes, seed), rules), truth))
    if (truth.disease !== null) leftOut.add(judge(examine(spans, without(rules, truth.disease)), truth))
    const evidence = evidenceOf(spans)
    for (const { name, find } of baselines) others.get(name)?.add(judge({ findings: asRanked(find(evidence)) }, truth))
  }
  const named = truth.disease === null ? undefined : timeToName(recording, rules)
  return {
    recording: recording.name,
    disease: truth.disease,
    runs,
    doctor: doctor.tally,
    baselines: Object.fromEntries([...others].map(([name, { tally }]) => [name, tally])),
    ...(truth.disease !== null && { leftOut: leftOut.tally }),
    lossy: lossy.tally,
    ...(named && { named }),
    mistakes,
  }
}

export function evidenceOf(spans: readonly TraceSpan[]) {
  const fold = new EvidenceFold()
  for (const span of spans) fold.add(span)
  return fold.evidence({ complete: true, partial: [] })
}

function asRanked(findings: ReturnType<(typeof baselines)[number]['find']>) {
  return findings.map((finding) => ({ ...finding, symptoms: [] }))
}

class Counts {
  readonly tally: Partial<Record<Outcome, number>> = {}

  add(outcome: Outcome): void {
    this.tally[outcome] = (this.tally[outcome] ?? 0) + 1
  }
}
