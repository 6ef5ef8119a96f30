import { type DiseaseName, diseaseNames } from '../doctor/diseases.ts'
import { seededRandom } from '../testing/random.ts'
import type { TraceSpan } from '../traces/trace.ts'
import type { Truth } from './judge.ts'
import * as mutations from './mutate.ts'
import { type Recording, readRecording } from './recording.ts'

/** Something whose runs are scored: its seed alone decides a run. */
export interface Subject {
  readonly name: string
  readonly disease: DiseaseName | null
  run(seed: number): Promise<SubjectRun>
  /** The run without mutations, if there is one. */
  readonly recording?: Recording
}

export interface SubjectRun {
  readonly spans: readonly TraceSpan[]
  readonly truth: Truth
}

/** Every so many runs have another, clean mesh beside. */
const besideEvery = 3
const quiet = 'clean-quiet'

/** A recording whose runs are mutations of it. */
export async function recordedSubject(name: string, directory: string): Promise<Subject> {
  const recording = await readRecording(name, directory)
  const clean = name === quiet ? undefined : await readRecording(quiet, directory).catch(() => undefined)
  const { truth } = recording
  return {
    name,
    disease: truth.disease,
    recording,
    run: async (seed) => {
      const mutated = mutations.mutate(recording.spans, seededRandom(seed))
      const isBeside = clean !== undefined && seed % besideEvery === 0
      return { truth, spans: isBeside ? mutations.beside(mutated, clean.spans) : mutated }
    },
  }
}

/** The scenarios of the simulator, which have the layers above its port alone. */
export async function simulatedSubjects(): Promise<readonly Subject[]> {
  const { simScenarios } = await import('../testing/doctor/sim-zoo.ts')
  return simScenarios.map(({ name, disease, run }) => {
    const named = diseaseNames.find((one) => one === disease) ?? null
    return {
      name: `${named === null ? 'clean' : disease}: ${name}`,
      disease: named,
      run: async (seed) => {
        const { spans, truth } = await run(seed)
        const nodes = truth === undefined || truth.node === '' ? [] : [truth.node]
        return { spans, truth: { disease: named, nodes, part: truth?.part?.source ?? '', also: [] } }
      },
    }
  })
}
