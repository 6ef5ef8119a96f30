import type { InternalInit } from './init.ts'

/**
 * The incarnation of the next start; `last` is the previous one in this process. It rises even with two starts in one
 * second or a clock that was set back.
 *
 * @param wall Unix milliseconds.
 */
export function nextIncarnation(init: Pick<InternalInit, 'incarnation'>, last: number, wall: number): number {
  return Math.max(last + 1, init.incarnation ?? Math.floor(wall / 1_000))
}
