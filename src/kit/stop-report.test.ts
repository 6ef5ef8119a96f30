import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AttributesOf } from '../catalogue/span-effect.ts'
import { Owner } from '../core/owner.ts'
import { newTrace } from '../core/trace.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { heldBy, type StopReport, stopAccount, stopProblems, stopSpans } from './stop-report.ts'

leakCheck()

const times = { cause: 'SIGTERM', uptimeMs: 1_000, tookMs: 30, left: ['Timeout (2)'] }
const step = (name: string, error?: string) => ({ name, durationMs: 1, ...(error !== undefined && { error }) })

function stoppedOf(report: StopReport): AttributesOf<'mesh.node.stopped'> {
  const [span] = stopSpans(newTrace(Math.random), report)
  assert.ok(span?.span === 'mesh.node.stopped')
  return span.attributes
}

test('a complete stop: expected and run are the same, and there is no problem', () => {
  const account = stopAccount({ planned: ['b', 'a'], steps: [step('b'), step('a')], held: [] })
  const report = { ...times, ...account }
  const attributes = stoppedOf(report)
  assert.deepEqual(attributes['mesh.stop.expected'], attributes['mesh.stop.run'])
  for (const name of ['missing', 'failed', 'held'] as const) assert.deepEqual(attributes[`mesh.stop.${name}`], [])
  assert.deepEqual([attributes['mesh.stop.duration_ms'], attributes['mesh.stop.left']], [30, ['Timeout (2)']])
  assert.deepEqual(stopProblems(report), [])
})

test('a step that did not run, one that failed, and two items of one name that are held: all named', () => {
  const steps = [step('c'), step('b', 'MESH_STEP_TIMEOUT: b')]
  const account = stopAccount({ planned: ['c', 'b', 'a'], steps, held: ['a', 'b', 'x', 'x'] })
  const report = { ...times, ...account }
  const attributes = stoppedOf(report)
  assert.deepEqual(attributes['mesh.stop.expected'], ['c', 'b', 'a'])
  assert.deepEqual(attributes['mesh.stop.run'], ['c', 'b'])
  assert.deepEqual(attributes['mesh.stop.missing'], ['a'])
  assert.deepEqual(attributes['mesh.stop.failed'], ['b'])
  assert.deepEqual(attributes['mesh.stop.held'], ['a', 'b', 'x (2)'])
  assert.equal(attributes['mesh.stop.held_count'], 4)
  assert.deepEqual(stopProblems(report), [
    'b: MESH_STEP_TIMEOUT: b',
    'a: not closed',
    'still held: a',
    'still held: b',
    'still held: x (2)',
  ])
  const errors = stopSpans(newTrace(Math.random), report).map(
    ({ attributes }) => attributes['mesh.step.error' as never],
  )
  assert.deepEqual(errors, [undefined, '', 'MESH_STEP_TIMEOUT: b'])
})

test('handles of the process that are left: the span names them, and the stop is complete', () => {
  const report = { ...times, left: ['TCPSocketWrap (1)', 'Timeout (2)'], steps: [], expected: [], held: [] }
  assert.deepEqual(stoppedOf(report)['mesh.stop.left'], report.left)
  assert.deepEqual(stopProblems(report), [])
})

test('an item that was released by itself during the stop is not expected', () => {
  const { expected } = stopAccount({ planned: ['closing c', 'a'], steps: [step('a')], held: [] })
  assert.deepEqual(expected, ['a'])
})

test('a thousand items that are held: the span names 64 and has their number', () => {
  const held = Array.from({ length: 1_000 }, (_, index) => `item ${index}`)
  const attributes = stoppedOf({ ...times, steps: [], expected: [], held })
  assert.equal(attributes['mesh.stop.held'].length, 64)
  assert.equal(attributes['mesh.stop.held_count'], 1_000)
})

test('held: timers are named with their owner', () => {
  const owner = new Owner('n', new VirtualClock())
  owner.child('network').after(50, () => {})
  owner.adopt('server', () => {})
  assert.deepEqual(heldBy(owner), ['server', 'n/network: after 50 ms'])
})
