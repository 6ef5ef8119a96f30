import { type ChildEnd, reasonIn } from './child.ts'

/** What was asked of a process; `listen` in vain. What it does unasked is a finding. */
export type Asked = 'kill' | 'stop' | 'listen'

/** From a start until it listens, in milliseconds: others wait for its turn to be over. Guess. */
export const startLimitMs = 45_000

/** What was wrong about the end of a process, in words; undefined when it ended as it was asked to. */
export function badEnd({ code, signal, errors }: ChildEnd, asked: Asked | undefined): string | undefined {
  const end = signal ?? code
  const how = `with ${end}: ${reasonIn(errors)}`
  if (asked === undefined) return `ended by itself ${how}`
  if (asked === 'listen') return `did not listen within ${startLimitMs / 1_000} s and was killed`
  return asked === 'stop' && end !== 0 ? `was asked to stop and ended ${how}` : undefined
}
