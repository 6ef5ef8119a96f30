import type { Random } from '../core/machine.ts'

/** mulberry32 (Tommy Ettinger, public domain): 32 bits of state, uniform in [0, 1), the same on every machine. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The seed in `SEED`, or a random one. Throws RangeError unless `SEED` is an integer in [0, 2^32). */
export function seedFromEnv(env: Readonly<Record<string, string | undefined>> = process.env): number {
  const text = env['SEED']
  if (text === undefined || text === '') return Math.floor(Math.random() * 2 ** 32)
  const seed = Number(text)
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) return seed
  throw new RangeError(`SEED is ${text}; expected an integer from 0 to 4294967295`)
}

/** Chooses the seed of a test and writes to its report how to replay it. */
export function announceSeed(t: { diagnostic(message: string): void }): number {
  const seed = seedFromEnv()
  t.diagnostic(`seed ${seed}: replay with SEED=${seed}`)
  return seed
}
