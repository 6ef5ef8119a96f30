import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { machineId } from './machine.ts'

test('a machine has one id, and at least a name', () => {
  assert.equal(machineId(), machineId())
  assert.match(machineId(), /^\S+$/)
  assert.equal(machineId('/nowhere'), hostname())
})
