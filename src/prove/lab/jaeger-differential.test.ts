import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { differenceOf } from './jaeger-differential.e2e.ts'

leakCheck()

test('two answers: equal or a difference; two equal failures are a difference', () => {
  const answer = (value: unknown) => ({ status: 'fulfilled', value }) as const
  const failure = { status: 'rejected', reason: new Error('no answer') } as const
  assert.equal(differenceOf(answer([1]), answer([1])), undefined)
  assert.match(differenceOf(answer([1]), answer([2])) ?? '', /store …\[1\].*Jaeger …\[2\]/)
  assert.match(differenceOf(failure, failure) ?? '', /store failed.*Jaeger failed/)
  assert.match(differenceOf(answer([1]), failure) ?? '', /Jaeger failed: Error: no answer/)
})
