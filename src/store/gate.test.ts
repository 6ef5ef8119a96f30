import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { Gate } from './gate.ts'

leakCheck()

test('the gate lets so many in, has so many wait, and turns away the rest', async () => {
  const gate = new Gate(1, 1)
  const { signal } = new AbortController()
  const first = await gate.enter(signal)
  const second = gate.enter(signal)
  assert.equal(await gate.enter(signal), undefined)
  first?.()
  first?.()
  const leave = await second
  const third = gate.enter(signal)
  assert.equal(await gate.enter(signal), undefined, 'leaving twice frees one place')
  leave?.()
  assert.ok(await third)
})

test('who gives up waiting at the gate makes room for another, and is not let in', async () => {
  const gate = new Gate(1, 1)
  const { signal } = new AbortController()
  const first = await gate.enter(signal)
  const impatient = new AbortController()
  const gone = assert.rejects(gate.enter(impatient.signal), /gave up/)
  impatient.abort(new Error('gave up'))
  await gone
  const next = gate.enter(signal)
  first?.()
  assert.ok(await next)
  await assert.rejects(gate.enter(impatient.signal), /gave up/)
})
