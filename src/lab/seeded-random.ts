import { createHash } from 'node:crypto'

/**
 * A number in [0, 1) that depends on the seed and on what it is drawn for, and on nothing else: another draw before it
 * changes nothing.
 */
export function seededRandom(seed: number, what: string): number {
  return createHash('sha256').update(`${seed} ${what}`).digest().readUInt32BE(0) / 2 ** 32
}
