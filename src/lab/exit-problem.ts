import { type ChildExit, exitReason } from './child.ts'

/** What was asked of a process; `listen` in vain. What it does unasked is a finding. */
export type RequestedAction = 'kill' | 'stop' | 'start-timeout'

/** From a start until it listens, in milliseconds: others wait for its turn to be over. Guess. */
export const startLimitMs = 45_000

/** What was wrong about the end of a process, in words; undefined when it ended as it was asked to. */
export function exitProblem(
  { code, signal, errors }: ChildExit,
  requestedAction: RequestedAction | undefined,
): string | undefined {
  const end = signal ?? code
  const how = `with ${end}: ${exitReason(errors)}`
  if (requestedAction === undefined) return `ended by itself ${how}`
  if (requestedAction === 'start-timeout') return `did not listen within ${startLimitMs / 1_000} s and was killed`
  return requestedAction === 'stop' && end !== 0 ? `was asked to stop and ended ${how}` : undefined
}
