import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { fingerprint, hashOf, makeFilter, mayContain, mix } from './bloom-filter.ts'

leakCheck()

const texts = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => `mesh.key\0value ${from + index}`)

test('Bloom filter: no false negatives, few false positives', () => {
  for (const size of [0, 1, 10, 1_000]) {
    const filter = makeFilter(new Set(texts(0, size).map((text) => hashOf(text))))
    for (const text of texts(0, size)) assert.ok(mayContain(filter, hashOf(text)), text)
    const falsePositives = texts(10_000, 10_000).filter((text) => mayContain(filter, hashOf(text))).length
    assert.ok(falsePositives < 30, `${falsePositives} of 10,000 with ${size} in it`)
    assert.ok(filter.length <= Math.max(8, size * 1.8))
  }
})

test('hashes: a text hashed in parts equals the complete text, and mixing depends on the order', () => {
  assert.equal(hashOf('value', hashOf('\0', hashOf('key'))), hashOf('key\0value'))
  assert.notEqual(mix(1, 2), mix(2, 1))
})

test('fingerprints of 20,000 texts: are distinct safe integers', () => {
  const all = texts(0, 20_000).map(fingerprint)
  assert.equal(new Set(all).size, 20_000)
  assert.ok(all.every(Number.isSafeInteger))
})
