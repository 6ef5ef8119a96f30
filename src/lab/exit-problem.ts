import { type ChildExit, exitReason } from './child.ts'

/** What the lab did to a process; `start-timeout`: killed because it did not listen. Any other exit is a problem. */
export type RequestedAction = 'kill' | 'stop' | 'start-timeout'

/** From a start until the node listens, in milliseconds: later starts wait for it. Guess. */
export const startLimitMs = 45_000

/** Describes an unexpected exit of a process; undefined for the expected exit. */
export function exitProblem(
  { code, signal, errors }: ChildExit,
  requestedAction: RequestedAction | undefined,
): string | undefined {
  const end = signal ?? code
  const how = `with ${end}: ${exitReason(errors)}`
  if (requestedAction === undefined) return `exited by itself ${how}`
  if (requestedAction === 'start-timeout') return `did not listen within ${startLimitMs / 1_000} s and was killed`
  return requestedAction === 'stop' && end !== 0 ? `was stopped and exited ${how}` : undefined
}
