import type { LabSpan } from './lab-span.ts'
import type { LabSize } from './plan.ts'

export interface LabOptions extends LabSize {
  /** Draws whatever is drawn. */
  readonly seed: number
  /** Where spans go, `off` for nowhere; a store of the lab's own unless given. */
  readonly otlp?: string | undefined
  /** Where `/api/v3` is, for a receiver that is not the lab's own. */
  readonly query?: string | undefined
  readonly jaegerUi?: string | undefined
  /** Directory of key files that outlives the lab; otherwise everybody is new. */
  readonly identities?: string | undefined
  /** Whether a terminal has to be put right when the lab is killed. */
  readonly terminal?: boolean
  /** What a node told that is worth a line. */
  readonly onSpan?: (span: LabSpan) => void
  /** What the lab itself has to say. */
  readonly log?: (text: string) => void
}
