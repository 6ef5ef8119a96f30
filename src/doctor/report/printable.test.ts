import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { printable, printableText } from './printable.ts'

leakCheck()

test('a text with escapes of a terminal, a line end, or marks that reverse it: each becomes its number', () => {
  assert.equal(printableText('node\x1b[2J\x1b]0;x\x07'), 'node\\x1b[2J\\x1b]0;x\\x07')
  assert.equal(printableText('a\r\nb\x9b31m\u2028c'), 'a\\x0d\\x0ab\\x9b31m\\u2028c')
  assert.equal(printableText('safe\u202eexe.gpj \ud800'), 'safe\\u202eexe.gpj \\ud800')
  assert.equal(printableText('Größe, 節点 👋🏽'), 'Größe, 節点 👋🏽')
})

test('a value: its texts are printable at every depth, and nothing else changes', () => {
  const value = { a: [{ b: 'x\x1b' }, 'y\n'], c: null, d: 1, e: undefined, f: true }
  assert.deepEqual(printable(value), { a: [{ b: 'x\\x1b' }, 'y\\x0a'], c: null, d: 1, e: undefined, f: true })
})
