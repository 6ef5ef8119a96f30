import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { quote } from './errors.ts'

leakCheck()

test('text: quoted and cut; text that may contain a credential: redacted', () => {
  assert.equal(quote('x'.repeat(500)).length, 203)
  assert.equal(quote('a "b"\n'), '"a \\"b\\"\\n"')
  for (const url of [
    'https://me:hunter2@h',
    'https://me:hun/ter2@h',
    'me:hunter2@h:4317',
    'https://h/?key=hunter2',
    'h#hunter2',
  ])
    assert.match(quote(url), /^a text of \d+ characters, not shown/)
})
