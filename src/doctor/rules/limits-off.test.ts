import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { limitsOff } from './limits-off.ts'

leakCheck()

const find = (lineAt: (seconds: number) => string) =>
  limitsOff.find(evidenceOf([processWith((s) => ({ 'mesh.audit.limits': [lineAt(s)] }))]))

test('more in use than the limit: certain, with both numbers', () => {
  const [finding] = find((s) => `connections 0 ${200 + s}/400`)
  assert.equal(finding?.certainty, 'certain')
  assert.match(finding?.summary ?? '', /in use where the limit is 400/)
})

test('a limit that is reached and refuses: nothing', () => {
  assert.deepEqual(
    find((s) => `connections ${s} 400/400`),
    [],
  )
})

test('one census above the limit: nothing', () => {
  assert.deepEqual(
    find((s) => `connections 0 ${s === 335 ? 402 : 300}/400`),
    [],
  )
})

test('a limit that is off: nothing', () => {
  assert.deepEqual(
    find((s) => `connections 0 ${s}/off`),
    [],
  )
})
