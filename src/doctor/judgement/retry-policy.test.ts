import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffPolicy, delayMs } from '../../core/backoff.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { leastDelayMs, retryPolicy } from './retry-policy.ts'

leakCheck()

test('the schedule of the doctor: that of the seed dialler', () => {
  const { stepsMs, attempts, attemptTimeoutMs, resultGraceMs, aloneMs, periodicMs } = backoffPolicy
  assert.deepEqual(retryPolicy, {
    stepsMs,
    attempts,
    attemptMs: attemptTimeoutMs + resultGraceMs,
    aloneMs,
    periodicMs,
  })
  for (let attempt = 1; attempt <= attempts; attempt++) assert.equal(leastDelayMs(attempt), delayMs(attempt, 0))
})
