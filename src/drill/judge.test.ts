import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { type AlertState, type Condition, judge } from './judge.ts'
import type { DrillResult } from './result.ts'

leakCheck()

/** When an alert rings, in seconds of the drill's own clock; its cause is at 10 s, unless something waits before. */
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

/** Drills one alert against an Alertmanager that plays it; `abortAt` in milliseconds. */
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

test('an alert that is silent before, rings in time and ends is ok, with its times', async () => {
  const { result, steps } = await drill({ from: 40, to: 70 })
  const { verdict, ok, statedMs, firedAfterMs, endedAfterMs, traces, why } = result
  assert.deepEqual([verdict, ok, statedMs, firedAfterMs, why], ['ok', true, 60_000, 30_000, ''])
  assert.deepEqual(traces, ['http://jaeger/search'])
  assert.ok(endedAfterMs !== null && endedAfterMs > 25_000 && endedAfterMs <= 31_000, String(endedAfterMs))
  assert.deepEqual(steps, ['prepare', 'cause', 'heal'])
})

test('one that rings too late fails, and it is said how late', async () => {
  const { result } = await drill({ from: 90, to: 120 })
  assert.deepEqual([result.verdict, result.firedAfterMs, result.why], ['failed', 80_000, 'it rang too late'])
})

test('one that never rings fails, and the condition is healed', async () => {
  const { result, steps } = await drill({})
  assert.deepEqual([result.verdict, result.firedAfterMs, result.endedAfterMs], ['failed', null, null])
  assert.match(result.why, /did not ring/)
  assert.equal(steps.at(-1), 'heal')
})

test('one that never ends fails', async () => {
  const { result } = await drill({ from: 20 })
  assert.deepEqual([result.verdict, result.firedAfterMs, result.endedAfterMs], ['failed', 10_000, null])
  assert.match(result.why, /has not ended within 100 s/)
})

test('one that rings already is not shown, and nothing is done', async () => {
  for (const state of ['firing', 'suppressed'] as const) {
    const { result, steps } = await drill({ from: 0, state })
    assert.deepEqual([result.verdict, result.firedAfterMs, steps], ['not shown', null, []])
    assert.match(result.why, /rings already/)
  }
})

test('one that rings with nothing but healthy nodes there fails, and so does one that rings before its own cause', async () => {
  const waiting = { prepare: (clock: VirtualClock) => new Promise<void>((resolve) => clock.after(30_000, resolve)) }
  const healthy = await drill({ from: 5 }, waiting)
  assert.deepEqual([healthy.result.verdict, healthy.result.why], ['failed', 'it rang before its cause'])
  assert.deepEqual(healthy.steps, [])
  const early = await drill({ from: 5, to: 30 })
  assert.deepEqual([early.result.verdict, early.result.why], ['failed', 'it rang before its cause'])
  assert.deepEqual(early.steps, ['prepare', 'cause', 'heal'])
})

test('one that is kept quiet is not shown', async () => {
  const { result } = await drill({ from: 20, to: 400, state: 'suppressed' })
  assert.equal(result.verdict, 'not shown')
  assert.match(result.why, /keeps it quiet/)
})

test('a condition that cannot be brought about is not shown, with the reason', async () => {
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
  assert.match(result.why, /the cause of A did not come about/)
})

test('interrupted it ends at once, whatever it waits for', async () => {
  const never = () => new Promise<void>(() => {})
  const waiting = await drill({}, { cause: never }, 5_000)
  assert.deepEqual([waiting.result.verdict, waiting.result.why], ['not shown', 'interrupted'])
  const ringing = await drill({ from: 20 }, {}, 30_000)
  assert.equal(ringing.result.why, 'interrupted')
})
