import { errorMessage, isMeshError } from '../../core/errors.ts'
import type { MeshView } from '../mesh-view.ts'
import { duration } from './text.ts'

/** A failure as the page shows it: one sentence, and the detail on request. */
export interface Trouble {
  readonly text: string
  readonly detail?: string
  /** It may end without the user: the page tries again. */
  readonly retries?: true
}

/** The server of the page gave no answer. */
export class UnansweredError extends Error {}

const unanswered = 'The server of this page does not answer.'

/** Why there is no view of the mesh. `last`: the last one. */
export function meshTrouble(error: unknown, last: MeshView | undefined): Trouble {
  const detail = errorMessage(error)
  if (!(error instanceof UnansweredError)) return { text: 'The server of this page reports a problem.', detail }
  return last?.ending ? { text: 'The lab has ended.' } : { text: unanswered, detail }
}

/** Why a question to the trace store has no answer. */
export function storeTrouble(error: unknown): Trouble {
  const detail = errorMessage(error)
  if (error instanceof UnansweredError || isMeshError(error, 'MESH_TRACES_UNREACHABLE'))
    return { text: unanswered, detail, retries: true }
  if (!isMeshError(error, 'MESH_TRACES_REFUSED')) return { text: detail }
  // The server of the page answers 502 in place of a store that does not.
  if (error.detail.status === 502) return { text: 'The trace store does not answer.', detail, retries: true }
  if (error.detail.status === 503) return { text: 'The trace store is busy.', detail, retries: true }
  return { text: 'The trace store refuses the question.', detail }
}

/** How old the shown view is. */
export function ageText(view: MeshView, nowMs: number): string {
  return `Shown: the mesh ${duration(Math.max(0, nowMs - view.atMs))} ago.`
}
