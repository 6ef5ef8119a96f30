import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { exitProblem } from './exit-problem.ts'

leakCheck()

test('an exit is a problem unless it is the result of the requested action', () => {
  const fine = { code: 0, signal: null, errors: '' }
  const failed = { code: 1, signal: null, errors: 'Error: no port\n  at x' }
  const killed = { code: null, signal: 'SIGKILL' as const, errors: '' }
  assert.equal(exitProblem(fine, 'stop'), undefined)
  assert.equal(exitProblem(killed, 'kill'), undefined)
  assert.equal(exitProblem(fine, undefined), 'exited by itself with 0: no output on stderr')
  assert.equal(exitProblem(failed, undefined), 'exited by itself with 1: Error: no port')
  assert.equal(exitProblem(failed, 'stop'), 'was stopped and exited with 1: Error: no port')
  assert.equal(exitProblem(killed, 'stop'), 'was stopped and exited with SIGKILL: no output on stderr')
  assert.match(exitProblem(killed, 'start-timeout') ?? '', /did not listen within 45 s/)
})
