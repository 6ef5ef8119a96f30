import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { machineId } from './machine.ts'

leakCheck()

test('machine id: is stable, and falls back to the host name', () => {
  assert.equal(machineId(), machineId())
  assert.match(machineId(), /^\S+$/)
  assert.equal(machineId('/nowhere'), hostname())
})
