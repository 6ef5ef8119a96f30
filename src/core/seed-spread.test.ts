import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { announceSeed, seededRandom } from '../testing/random.ts'
import { SeedPlayer } from '../testing/seed-player.ts'
import { backoffPolicy, placeAmong, waitMs } from './backoff.ts'
import type { Random } from './machine.ts'
import { SeedDialler } from './seed-dialler.ts'

leakCheck()

const nodes = 1_000
const attempts = 10
const attemptMs = 10_000
const lostAt = 60_000

/** When one node, which has other peers too, dials a seed that it loses at `lostAt` and that never comes back. */
function redials(random: Random, spread: Random): number[] {
  const dialler = new SeedDialler(['/dns4/seed.example/tcp/4001'], { random, spread })
  const player = new SeedPlayer(dialler, (_, at) => ({ afterMs: attemptMs, ...(at === 0 ? { peer: 'seed' } : {}) }))
  player.send({ type: 'peers', count: 2 })
  player.runUntil(lostAt)
  player.send({ type: 'disconnected', peer: 'seed' })
  player.runUntil(lostAt + 300_000)
  return player.dials().slice(1)
}

/** The same with a draw of its own for every wait: what looks more random, and is not done. */
function redialsDrawnAfresh(random: Random): number[] {
  const times = [lostAt + waitMs(backoffPolicy, 1, random())]
  for (let n = 1; n < attempts; n++) times.push((times[n - 1] ?? 0) + attemptMs + waitMs(backoffPolicy, n, random()))
  return times
}

/** The fullest second of attempt `k` over the mean of its window: all the time in which anybody's attempt k may fall. */
function peakOverMean(meshes: readonly (readonly number[])[], k: number): number {
  let widthMs = waitMs(backoffPolicy, 1, 1) / 2
  for (let n = 1; n < k; n++) widthMs += waitMs(backoffPolicy, n, 1) / 2
  const perSecond = new Map<number, number>()
  for (const times of meshes) {
    const second = Math.floor((times[k - 1] ?? 0) / 1_000)
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
  }
  return Math.max(...perSecond.values()) / (meshes.length / (widthMs / 1_000))
}

const fromSixth = [6, 7, 8, 9, 10]
const worst = (mesh: readonly (readonly number[])[]) => Math.max(...fromSixth.map((k) => peakOverMean(mesh, k)))
const mesh = (times: () => number[]) => Array.from({ length: nodes }, times)

test('stats', () => {
  let bad = 0,
    badR = 0,
    wr = 0,
    bad80 = 0
  const peers = Array.from({ length: nodes }, (_, i) => `peer-${String(i).padStart(4, '0')}`)
  for (let s = 1; s <= 40; s++) {
    const random = seededRandom(s)
    if (worst(mesh(() => redials(random, random))) > 2) bad++
    const r = worst(peers.map((self) => redials(random, () => placeAmong(self, peers, random))))
    wr = Math.max(wr, r)
    if (s <= 5) {
      const r8 = worst(
        peers.map((self) => {
          const k = peers.filter(() => random() < 0.5)
          return redials(random, () => placeAmong(self, k, random))
        }),
      )
      process.stdout.write(`r8 ${r8}\n`)
    }
    if (s <= 10)
      process.stdout.write(
        `afresh ${worst(mesh(() => redialsDrawnAfresh(random)))} seed ${s} ind ${worst(mesh(() => redials(random, random)))}\n`,
      )
  }
  process.stdout.write(`bad ${bad} ranked worst ${wr}\n`)
})
