import assert from 'node:assert/strict'
import { SeedDialler } from '../../core/seed-dialler.ts'
import { seededRandom } from '../random.ts'
import { type Outcome, SeedPlayer } from './seed-player.ts'

export const seed = '/dns4/seed.example/udp/4001/quic-v1'
export const highest = 1 - Number.EPSILON
export const refused: Outcome = { afterMs: 0 }

/** The default `spread` makes every wait the longest, so that the figures below are round. */
export function play(
  outcome: (seed: string, at: number) => Outcome | undefined,
  spread = () => highest,
  seeds = [seed],
) {
  const dialler = new SeedDialler(seeds, { random: seededRandom(1), sampleJitter: spread })
  return { dialler, player: new SeedPlayer(dialler, outcome) }
}

/** A seed that answers every dial between `from` and `to`. */
export const upBetween =
  (from: number, to: number, peer = 'peer-a') =>
  (_: string, at: number): Outcome =>
    at >= from && at < to ? { afterMs: 0, peer } : refused

export const gaps = (times: readonly number[]) =>
  times.slice(1).map((time, i) => Math.round((time - (times[i] ?? 0)) / 10) / 100)
export const near = (actual: number | undefined, expected: number) =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1, `${actual}, expected ${expected}`)
