import type { DiseaseName } from '../../doctor/diseases.ts'
import type { TraceSpan } from '../../traces/trace.ts'

/** Whose the planted fault is; `node` is empty for one of the whole mesh. */
export interface Truth {
  readonly node: string
  readonly part?: RegExp
}

/** A run of the simulator whose disease is known. The same seed gives the same spans. */
export interface Scenario {
  readonly disease: DiseaseName | 'clean'
  readonly name: string
  run(seed: number): Promise<{ readonly spans: TraceSpan[]; readonly truth?: Truth }>
}
