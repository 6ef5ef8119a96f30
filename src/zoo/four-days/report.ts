import { diseaseOf } from '../../doctor/diseases.ts'
import type { Finding } from '../../doctor/finding.ts'
import { align } from '../align.ts'
import type { PlantedLeak } from './leaks.ts'

/** A planted leak, and what the doctor says of it. */
export interface NamedLeak {
  readonly leak: PlantedLeak
  /** Undefined until the doctor names it. */
  readonly finding: Finding | undefined
  /** From the start of the lab until then. */
  readonly afterMs: number | undefined
}

/** What was planted beside what the doctor says, a row per leak. */
export function namedTable(leaks: readonly NamedLeak[]): string {
  const rows = leaks.map(({ leak, finding, afterMs }) => [
    leak.story,
    leak.nodes.join(' and '),
    finding === undefined ? 'not named' : findingText(finding),
    afterMs === undefined ? '-' : clockOf(afterMs),
  ])
  return align([['planted', 'in', 'the doctor says', 'after'], ...rows])
}

/** `Topics that only grow: topics at a-compute-1`. */
export function findingText({ disease, owner }: Pick<Finding, 'disease' | 'owner'>): string {
  return `${diseaseOf(disease).title}: ${owner.part}${owner.node === '' ? '' : ` at ${owner.node}`}`
}

/** Minutes and seconds. */
export function clockOf(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
