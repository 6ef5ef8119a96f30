import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import type { DrillResult } from './judge.ts'
import { type AlertState, type Condition, judge } from './judge.ts'

leakCheck()

/** When an alert fires and resolves, in seconds of the test's clock; its cause is at 10 s unless `prepare` waits. */
interface AlertTimes {
  readonly from?: number
  readonly to?: number
  readonly state?: AlertState
}

const causeAt = 10_000
const stated = { statedMs: 60_000, endMs: 100_000 }

interface DrillRun {
  readonly result: DrillResult
  readonly steps: readonly string[]
}

type ConditionChanges = { readonly [K in keyof Condition]?: (clock: VirtualClock) => Promise<void> }

/** Drills one alert against a simulated Alertmanager; `abortAt` in milliseconds. */
async function drill(times: AlertTimes, condition: ConditionChanges = {}, abortAt = Infinity): Promise<DrillRun> {
  const clock = new VirtualClock()
  const { from = Infinity, to = Infinity, state = 'firing' } = times
  const isFiring = () => clock.now() >= from * 1_000 && clock.now() < to * 1_000
  const steps: string[] = []
  const complete: Condition = {
    prepare: async () => void steps.push('prepare'),
    cause: async (caused) => {
      steps.push('cause')
      await new Promise<void>((resolve) => clock.after(causeAt, resolve))
      caused('A')
    },
    heal: async () => void steps.push('heal'),
  }
  for (const [step, instead] of Object.entries(condition)) Object.assign(complete, { [step]: () => instead(clock) })
  const aborting = new AbortController()
  const links = async () => ['http://jaeger/search']
  const watched = { ...stated, alert: 'A', state: async () => (isFiring() ? state : 'inactive'), links }
  const judging = judge([watched], complete, { clock, signal: aborting.signal, log: () => {} })
  let done = false
  void judging.finally(() => {
    done = true
  })
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve))
    if (clock.now() >= abortAt) aborting.abort(new Error('SIGINT'))
    else if (clock.next() < Infinity) clock.runUntil(clock.next())
  }
  const [result] = await judging
  assert.ok(result)
  return { result, steps }
}

test('an alert that is inactive before, fires in time and resolves: ok, with its times', async () => {
  const { result, steps } = await drill({ from: 40, to: 70 })
  const { verdict, ok, statedMs, firedAfterMs, endedAfterMs, traces, why } = result
  assert.deepEqual([verdict, ok, statedMs, firedAfterMs, why], ['ok', true, 60_000, 30_000, ''])
  assert.deepEqual(traces, ['http://jaeger/search'])
  assert.ok(endedAfterMs !== null && endedAfterMs > 25_000 && endedAfterMs <= 31_000, String(endedAfterMs))
  assert.deepEqual(steps, ['prepare', 'cause', 'heal'])
})

test('an alert that fires too late: failed, with its time', async () => {
  const { result } = await drill({ from: 90, to: 120 })
  assert.deepEqual([result.verdict, result.firedAfterMs, result.why], ['failed', 80_000, 'it fired too late'])
})

test('an alert that never fires: failed, and the condition is healed', async () => {
  const { result, steps } = await drill({})
  assert.deepEqual([result.verdict, result.firedAfterMs, result.endedAfterMs], ['failed', null, null])
  assert.match(result.why, /did not fire/)
  assert.equal(steps.at(-1), 'heal')
})

test('an alert that never resolves: failed', async () => {
  const { result } = await drill({ from: 20 })
  assert.deepEqual([result.verdict, result.firedAfterMs, result.endedAfterMs], ['failed', 10_000, null])
  assert.match(result.why, /did not resolve within 100 s/)
})

test('an alert that is firing already: not shown, and no step runs', async () => {
  for (const state of ['firing', 'suppressed'] as const) {
    const { result, steps } = await drill({ from: 0, state })
    assert.deepEqual([result.verdict, result.firedAfterMs, steps], ['not shown', null, []])
    assert.match(result.why, /firing already/)
  }
})

test('an alert that fires with healthy nodes only, or before its own cause: failed', async () => {
  const whileWaiting = {
    prepare: (clock: VirtualClock) => new Promise<void>((resolve) => clock.after(30_000, resolve)),
  }
  const healthy = await drill({ from: 5 }, whileWaiting)
  assert.deepEqual([healthy.result.verdict, healthy.result.why], ['failed', 'it fired before its cause'])
  assert.deepEqual(healthy.steps, [])
  const early = await drill({ from: 5, to: 30 })
  assert.deepEqual([early.result.verdict, early.result.why], ['failed', 'it fired before its cause'])
  assert.deepEqual(early.steps, ['prepare', 'cause', 'heal'])
})

test('a suppressed alert: not shown', async () => {
  const { result } = await drill({ from: 20, to: 400, state: 'suppressed' })
  assert.equal(result.verdict, 'not shown')
  assert.match(result.why, /suppresses it/)
})

test('a condition that cannot be created: not shown, with the reason', async () => {
  const broken = async () => {
    throw new Error('no node starts')
  }
  for (const [condition, expectedSteps] of [
    [{ prepare: broken }, []],
    [{ cause: broken }, ['prepare', 'heal']],
  ] as const) {
    const { result, steps } = await drill({ from: 40, to: 70 }, condition)
    assert.deepEqual([result.verdict, result.why, steps], ['not shown', 'no node starts', expectedSteps])
  }
  const { result } = await drill({ from: 40 }, { cause: async () => {} })
  assert.match(result.why, /the cause of A did not occur/)
})

test('an interrupted drill ends at once, in every step', async () => {
  const never = () => new Promise<void>(() => {})
  const whileWaiting = await drill({}, { cause: never }, 5_000)
  assert.deepEqual([whileWaiting.result.verdict, whileWaiting.result.why], ['not shown', 'interrupted'])
  const whileFiring = await drill({ from: 20 }, {}, 30_000)
  assert.equal(whileFiring.result.why, 'interrupted')
})
