import type { LabSpan } from './lab-span.ts'
import type { LabSize } from './plan.ts'

export interface LabOptions extends LabSize {
  /** Seed of all random decisions. */
  readonly seed: number
  /** OTLP endpoint for spans, or `off`; by default the lab runs its own store. */
  readonly otlp?: string | undefined
  /** URL of `/api/v3` of an external receiver. */
  readonly query?: string | undefined
  readonly jaegerUi?: string | undefined
  /** Directory of key files that outlives the lab; without it all identities are new. */
  readonly identities?: string | undefined
  /** Whether the watchdog has to restore the terminal when the lab is killed. */
  readonly terminal?: boolean
  /** Receives spans of nodes that are worth a line. */
  readonly onSpan?: (span: LabSpan) => void
  /** Receives messages of the lab itself. */
  readonly log?: (text: string) => void
}
