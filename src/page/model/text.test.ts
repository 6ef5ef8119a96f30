import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import {
  attributesText,
  clock,
  duration,
  hrefOf,
  parseAttributes,
  parseRoute,
  parseTraceId,
  shortId,
  sortBy,
  zoneName,
} from './text.ts'

leakCheck()

test('a route: its address parses back to the same route', (t) => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 })
  return forAll({ t }, [text, fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), text)], (item, params) => {
    const route = parseRoute(hrefOf('traces', item, params))
    assert.deepEqual([route.tab, route.item, { ...route.params }], ['traces', item, { ...params }])
  })
})

test('an unknown address opens the first tab', () => {
  for (const hash of ['', '#', '#/', '#/nowhere', '#//', '#/nowhere/x?y=z']) {
    assert.deepEqual(parseRoute(hash), { tab: 'topology', params: {} }, hash)
  }
  assert.equal(parseRoute('#/nodes/%zz').item, '%zz')
})

test('attributes parse as key=value pairs, quoted if they contain spaces', () => {
  assert.deepEqual(parseAttributes('a=b  c=12 d=true e="two words" f="12" g='), {
    attributes: { a: 'b', c: 12, d: true, e: 'two words', f: '12', g: '' },
  })
  assert.deepEqual(parseAttributes(''), { attributes: {} })
  assert.equal(parseAttributes('a=b nonsense').problem, 'expected key=value, got nonsense')
  assert.equal(parseAttributes('a="open').problem, undefined)
})

test('attributes: text and parsed form round-trip', (t) => {
  const key = fc.stringMatching(/^[a-z._]{1,12}$/).filter((name) => name !== '__proto__')
  const value = fc.oneof(fc.string(), fc.integer(), fc.boolean())
  return forAll({ t }, [fc.dictionary(key, value)], (attributes) => {
    assert.deepEqual(parseAttributes(attributesText(attributes)).attributes, { ...attributes })
  })
})

test('a trace id: whole or its first digits, as copied; anything else names the remedy', () => {
  const whole = '0123456789abcdef0123456789abcdef'
  for (const [text, id] of [
    [whole, whole],
    [` trace ${whole.toUpperCase()}\n`, whole],
    ['01234567', '01234567'],
  ] as const)
    assert.deepEqual(parseTraceId(text), { id })
  for (const [text, problem] of [
    ['', /at least the first 6/],
    ['01234', /at least the first 6/],
    [`${whole}0`, /this one has 33/],
    ['0123456g', /0123456g has others/],
  ] as const) {
    const parsed = parseTraceId(text)
    assert.match('problem' in parsed ? parsed.problem : '', problem)
  }
})

test('durations and peer ids are shortened for people', () => {
  const shown = [0, 0.001, 0.04, 0.42, 3.4, 999, 1_000, 2_540, 61_000, 5_400_000, 200_000_000].map(duration)
  const expected = ['0 ms', '1 μs', '40 μs', '0.4 ms', '3 ms', '999 ms', '1 s', '2.5 s', '1 min', '1.5 h', '2.3 d']
  assert.deepEqual(shown, expected)
  assert.equal(shortId('12D3KooWabcdefghijklmnop'), '…ijklmnop')
})

test('a time: of the reader’s own day without a date, of another day with one; the zone has a name', () => {
  const at = new Date(2026, 10, 29, 23, 59, 58, 7).getTime()
  assert.equal(clock(at, false, at), '23:59:58')
  assert.equal(clock(at, true, at + 1_000), '23:59:58.007')
  assert.equal(clock(at, true, at + 3_000), '2026-11-29 23:59:58.007')
  assert.match(zoneName(at), /^[A-Z][\w+:−-]+$/)
})

test('sorting: numbers by value, names in natural order, missing values last', () => {
  const by = (value: string | number | undefined) => value
  assert.deepEqual(sortBy(['node-10', 'node-9', undefined], by, 'ascending'), ['node-9', 'node-10', undefined])
  assert.deepEqual(sortBy([2, undefined, 10], by, 'descending'), [10, 2, undefined])
})
