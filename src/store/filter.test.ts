import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { fingerprint, hashOf, makeFilter, mayHold, mixed } from './filter.ts'

leakCheck()

const texts = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => `mesh.key\0value ${from + index}`)

test('what is in a filter is always found, what is not hardly ever', () => {
  for (const size of [0, 1, 10, 1_000]) {
    const filter = makeFilter(new Set(texts(0, size).map((text) => hashOf(text))))
    for (const text of texts(0, size)) assert.ok(mayHold(filter, hashOf(text)), text)
    const wrong = texts(10_000, 10_000).filter((text) => mayHold(filter, hashOf(text))).length
    assert.ok(wrong < 30, `${wrong} of 10,000 with ${size} in it`)
    assert.ok(filter.length <= Math.max(8, size * 1.8))
  }
})

test('a text hashed in two parts is the text; a pair of hashes has an order', () => {
  assert.equal(hashOf('value', hashOf('\0', hashOf('key'))), hashOf('key\0value'))
  assert.notEqual(mixed(1, 2), mixed(2, 1))
})

test('fingerprints of many texts are all different, and whole numbers', () => {
  const all = texts(0, 20_000).map(fingerprint)
  assert.equal(new Set(all).size, 20_000)
  assert.ok(all.every(Number.isSafeInteger))
})
