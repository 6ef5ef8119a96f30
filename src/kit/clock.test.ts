import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { until } from '../processes/waiting.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { startDeadline } from './clock.ts'

leakCheck()

test('a deadline that passes: aborts with a TimeoutError, and leaves no listener', async () => {
  const { signal: caller } = new AbortController()
  const { signal } = startDeadline(5, [caller])
  await until(() => signal.aborted, 30_000, 'the abort')
  assert.equal(signal.reason.name, 'TimeoutError')
  assert.equal(getEventListeners(caller, 'abort').length, 0)
})

test('the abort of one of its signals, before or after the start: aborts with that reason', () => {
  const controllers = [new AbortController(), new AbortController()]
  const signals = controllers.map(({ signal }) => signal)
  const { signal } = startDeadline(10_000, signals)
  controllers[1]?.abort('left')
  for (const one of [signal, startDeadline(10_000, signals).signal])
    assert.deepEqual([one.aborted, one.reason], [true, 'left'])
  for (const one of signals) assert.equal(getEventListeners(one, 'abort').length, 0)
})

test('a cleared deadline: no longer aborts', () => {
  const controller = new AbortController()
  const { signal, clear } = startDeadline(10_000, [controller.signal])
  clear()
  controller.abort()
  assert.equal(signal.aborted, false)
})
