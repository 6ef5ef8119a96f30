import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { machineId } from './machine.ts'

leakCheck()

test('a machine has one id, and at least a name', () => {
  assert.equal(machineId(), machineId())
  assert.match(machineId(), /^\S+$/)
  assert.equal(machineId('/nowhere'), hostname())
})
