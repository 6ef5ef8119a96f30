import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from './leak-check.ts'
import { announceSeed, seededRandom, seedFromEnv } from './random.ts'

leakCheck()

const samples = (seed: number, count: number) => Array.from({ length: count }, seededRandom(seed))

test('the same seed gives the same numbers, another seed different ones', () => {
  assert.deepEqual(samples(7, 100), samples(7, 100))
  assert.notDeepEqual(samples(7, 100), samples(8, 100))
})

test('the numbers of a seed never change: a seed printed once replays for good', () => {
  assert.deepEqual(
    samples(1, 3).map((sample) => Math.floor(sample * 2 ** 32)),
    [2_693_262_067, 11_749_833, 2_265_367_787],
  )
})

test('numbers are uniform in [0, 1)', () => {
  const all = samples(42, 100_000)
  assert.ok(all.every((sample) => sample >= 0 && sample < 1))
  const tenths = Array.from({ length: 10 }, (_, tenth) => all.filter((one) => Math.floor(one * 10) === tenth).length)
  // Standard deviation of a tenth's count is 95; five of them.
  assert.ok(
    tenths.every((count) => Math.abs(count - 10_000) < 475),
    tenths.join(' '),
  )
})

test('SEED sets the seed, and must be an integer of 32 bits', () => {
  assert.equal(seedFromEnv({ SEED: '123' }), 123)
  for (const SEED of ['abc', '-1', '1.5', '4294967296']) assert.throws(() => seedFromEnv({ SEED }), RangeError)
  const seed = seedFromEnv({})
  assert.ok(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)
})

test('a random seed: the report has it, and how to replay it', () => {
  const lines: string[] = []
  const seed = announceSeed({ diagnostic: (line) => lines.push(line) })
  assert.deepEqual(lines, [`seed ${seed}: replay with SEED=${seed}`])
})
