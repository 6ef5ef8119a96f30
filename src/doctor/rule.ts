import type { Evidence } from './evidence/evidence.ts'
import type { Finding } from './finding.ts'

/** Pure: from evidence to findings. Its thresholds are part of it. */
export interface Rule {
  /** File name without extension, for reports about rules. */
  readonly name: string
  find(evidence: Evidence): readonly Finding[]
}
