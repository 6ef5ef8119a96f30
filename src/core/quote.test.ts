import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { quote } from './quote.ts'

leakCheck()

test('a long text is cut, and credentials in a URL are left out', () => {
  assert.equal(quote('x'.repeat(500)).length, 203)
  assert.equal(quote('https://user:hunter2@host:4317'), '"https://…@host:4317"')
  assert.equal(quote('a "b"\n'), '"a \\"b\\"\\n"')
})
