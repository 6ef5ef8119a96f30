import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { type Condition, judge, type Look } from './judge.ts'
import type { DrillResult } from './result.ts'

leakCheck()

/** When an alert rings, in seconds of the drill's own clock; its cause is at 10 s, unless something waits before. */
interface Play {
  readonly from?: number
  readonly to?: number
  readonly state?: Look
}

const causeAt = 10_000
const stated = { statedMs: 60_000, endMs: 100_000 }

interface Played {
  readonly result: DrillResult
  readonly steps: readonly string[]
}

type Changed = { readonly [K in keyof Condition]?: (clock: VirtualClock) => Promise<void> }

/** Drills one alert against an Alertmanager that plays it; `abortAt` in milliseconds. */
async function played(play: Play, condition: Changed = {}, abortAt = Infinity): Promise<Played> {
  const clock = new VirtualClock()
  const { from = Infinity, to = Infinity, state = 'rings' } = play
  const rings = () => clock.now() >= from * 1_000 && clock.now() < to * 1_000
  const steps: string[] = []
  const whole: Condition = {
    prepare: async () => void steps.push('prepare'),
    cause: async (caused) => {
      steps.push('cause')
      await new Promise<void>((resolve) => clock.after(causeAt, resolve))
      caused('A')
    },
    heal: async () => void steps.push('heal'),
  }
  for (const [step, instead] of Object.entries(condition)) Object.assign(whole, { [step]: () => instead(clock) })
  const aborting = new AbortController()
  const links = async () => ['http://jaeger/search']
  const watched = { ...stated, alert: 'A', look: async () => (rings() ? state : 'silent'), links }
  const judging = judge([watched], whole, { clock, signal: aborting.signal, say: () => {} })
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
  const { result, steps } = await played({ from: 40, to: 70 })
  const { verdict, ok, statedMs, firedAfterMs, endedAfterMs, traces, why } = result
  assert.deepEqual([verdict, ok, statedMs, firedAfterMs, why], ['ok', true, 60_000, 30_000, ''])
  assert.deepEqual(traces, ['http://jaeger/search'])
  assert.ok(endedAfterMs !== null && endedAfterMs > 25_000 && endedAfterMs <= 31_000, String(endedAfterMs))
  assert.deepEqual(steps, ['prepare', 'cause', 'heal'])
})

test('one that rings too late fails, and it is said how late', async () => {
  const { result } = await played({ from: 90, to: 120 })
  assert.deepEqual([result.verdict, result.firedAfterMs, result.why], ['failed', 80_000, 'it rang too late'])
})

test('one that never rings fails, and the condition is healed', async () => {
  const { result, steps } = await played({})
  assert.deepEqual([result.verdict, result.firedAfterMs, result.endedAfterMs], ['failed', null, null])
  assert.match(result.why, /did not ring/)
  assert.equal(steps.at(-1), 'heal')
})

test('one that never ends fails', async () => {
  const { result } = await played({ from: 20 })
  assert.deepEqual([result.verdict, result.firedAfterMs, result.endedAfterMs], ['failed', 10_000, null])
  assert.match(result.why, /has not ended within 100 s/)
})

test('one that rings already is not shown, and nothing is done', async () => {
  for (const state of ['rings', 'suppressed'] as const) {
    const { result, steps } = await played({ from: 0, state })
    assert.deepEqual([result.verdict, result.firedAfterMs, steps], ['not shown', null, []])
    assert.match(result.why, /rings already/)
  }
})

test('one that rings with nothing but healthy nodes there fails, and so does one that rings before its own cause', async () => {
  const waiting = { prepare: (clock: VirtualClock) => new Promise<void>((resolve) => clock.after(30_000, resolve)) }
  const healthy = await played({ from: 5 }, waiting)
  assert.deepEqual([healthy.result.verdict, healthy.result.why], ['failed', 'it rang before its cause'])
  assert.deepEqual(healthy.steps, [])
  const early = await played({ from: 5, to: 30 })
  assert.deepEqual([early.result.verdict, early.result.why], ['failed', 'it rang before its cause'])
  assert.deepEqual(early.steps, ['prepare', 'cause', 'heal'])
})

test('one that is kept quiet is not shown', async () => {
  const { result } = await played({ from: 20, to: 400, state: 'suppressed' })
  assert.equal(result.verdict, 'not shown')
  assert.match(result.why, /keeps it quiet/)
})

test('a condition that cannot be brought about is not shown, with the reason', async () => {
  const broken = async () => {
    throw new Error('no node starts')
  }
  for (const [condition, healed] of [
    [{ prepare: broken }, []],
    [{ cause: broken }, ['prepare', 'heal']],
  ] as const) {
    const { result, steps } = await played({ from: 40, to: 70 }, condition)
    assert.deepEqual([result.verdict, result.why, steps], ['not shown', 'no node starts', healed])
  }
  const { result } = await played({ from: 40 }, { cause: async () => {} })
  assert.match(result.why, /the cause of A did not come about/)
})

test('interrupted it ends at once, whatever it waits for', async () => {
  const never = () => new Promise<void>(() => {})
  const waiting = await played({}, { cause: never }, 5_000)
  assert.deepEqual([waiting.result.verdict, waiting.result.why], ['not shown', 'interrupted'])
  const ringing = await played({ from: 20 }, {}, 30_000)
  assert.equal(ringing.result.why, 'interrupted')
})
