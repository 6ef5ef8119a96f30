import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from './leak-check.ts'
import { announceSeed, seededRandom, seedFromEnv } from './random.ts'

leakCheck()

const draws = (seed: number, count: number) => Array.from({ length: count }, seededRandom(seed))

test('the same seed gives the same numbers, another gives others', () => {
  assert.deepEqual(draws(7, 100), draws(7, 100))
  assert.notDeepEqual(draws(7, 100), draws(8, 100))
})

test('the numbers of a seed never change: a seed printed once replays for good', () => {
  assert.deepEqual(
    draws(1, 3).map((draw) => Math.floor(draw * 2 ** 32)),
    [2_693_262_067, 11_749_833, 2_265_367_787],
  )
})

test('numbers are uniform in [0, 1)', () => {
  const all = draws(42, 100_000)
  assert.ok(all.every((draw) => draw >= 0 && draw < 1))
  const tenths = Array.from({ length: 10 }, (_, tenth) => all.filter((draw) => Math.floor(draw * 10) === tenth).length)
  // Standard deviation of a tenth's count is 95; five of them.
  assert.ok(
    tenths.every((count) => Math.abs(count - 10_000) < 475),
    tenths.join(' '),
  )
})

test('SEED decides the seed, and only an integer of 32 bits will do', () => {
  assert.equal(seedFromEnv({ SEED: '123' }), 123)
  for (const SEED of ['abc', '-1', '1.5', '4294967296']) assert.throws(() => seedFromEnv({ SEED }), RangeError)
  const drawn = seedFromEnv({})
  assert.ok(Number.isInteger(drawn) && drawn >= 0 && drawn < 2 ** 32)
})

test('a drawn seed is in the report, with how to replay it', () => {
  const lines: string[] = []
  const seed = announceSeed({ diagnostic: (line) => lines.push(line) })
  assert.deepEqual(lines, [`seed ${seed}: replay with SEED=${seed}`])
})
