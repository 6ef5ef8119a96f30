import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { exitProblem } from './exit-problem.ts'

leakCheck()

test('an end is in order when it was asked for and is what was asked for', () => {
  const fine = { code: 0, signal: null, errors: '' }
  const failed = { code: 1, signal: null, errors: 'Error: no port\n  at x' }
  const killed = { code: null, signal: 'SIGKILL' as const, errors: '' }
  assert.equal(exitProblem(fine, 'stop'), undefined)
  assert.equal(exitProblem(killed, 'kill'), undefined)
  assert.equal(exitProblem(fine, undefined), 'ended by itself with 0: it said nothing')
  assert.equal(exitProblem(failed, undefined), 'ended by itself with 1: Error: no port')
  assert.equal(exitProblem(failed, 'stop'), 'was asked to stop and ended with 1: Error: no port')
  assert.equal(exitProblem(killed, 'stop'), 'was asked to stop and ended with SIGKILL: it said nothing')
  assert.match(exitProblem(killed, 'start-timeout') ?? '', /did not listen within 45 s/)
})
