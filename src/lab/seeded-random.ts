import { createHash } from 'node:crypto'

/**
 * A number in [0, 1) that depends only on the seed and on its purpose `what`, not on earlier calls.
 */
export function seededRandom(seed: number, what: string): number {
  return createHash('sha256').update(`${seed} ${what}`).digest().readUInt32BE(0) / 2 ** 32
}
