import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { type AlertState, type Condition, type DrillResult, judge } from './judge.ts'

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

const broken = async () => {
  throw new Error('no node starts')
}
const slow = (clock: VirtualClock) => new Promise<void>((resolve) => clock.after(30_000, resolve))
const all = ['prepare', 'cause', 'heal']

const bad: readonly (readonly [
  title: string,
  times: AlertTimes,
  condition: ConditionChanges,
  expected: readonly [DrillResult['verdict'], firedAfterMs: number | null, why: RegExp, steps: readonly string[]],
])[] = [
  ['never fires: failed, and the condition is healed', {}, {}, ['failed', null, /did not fire/, all]],
  ['never resolves: failed', { from: 20 }, {}, ['failed', 10_000, /did not resolve within 100 s/, all]],
  ['is firing already: not shown, and no step runs', { from: 0 }, {}, ['not shown', null, /firing already/, []]],
  ['is suppressed already: the same', { from: 0, state: 'suppressed' }, {}, ['not shown', null, /firing already/, []]],
  ['fires with healthy nodes only: failed', { from: 5 }, { prepare: slow }, ['failed', null, /before its cause$/, []]],
  ['fires before its own cause: failed', { from: 5, to: 30 }, {}, ['failed', null, /before its cause$/, all]],
  [
    'is suppressed: not shown',
    { from: 20, to: 400, state: 'suppressed' },
    {},
    ['not shown', null, /suppresses it/, all],
  ],
  ['has no healthy state: not shown', { from: 40 }, { prepare: broken }, ['not shown', null, /^no node starts$/, []]],
  ['cannot be caused: healed', { from: 40 }, { cause: broken }, ['not shown', null, /^no node s/, ['prepare', 'heal']]],
  [
    'is not caused',
    { from: 40 },
    { cause: async () => {} },
    ['not shown', null, /cause of A did not/, ['prepare', 'heal']],
  ],
]

for (const [title, times, condition, [verdict, firedAfterMs, why, steps]] of bad)
  test(`an alert that ${title}`, async () => {
    const drilled = await drill(times, condition)
    assert.deepEqual(
      [drilled.result.verdict, drilled.result.firedAfterMs, drilled.result.endedAfterMs, drilled.steps],
      [verdict, firedAfterMs, null, steps],
    )
    assert.match(drilled.result.why, why)
  })

test('an interrupted drill ends at once, in every step', async () => {
  const never = () => new Promise<void>(() => {})
  const whileWaiting = await drill({}, { cause: never }, 5_000)
  assert.deepEqual([whileWaiting.result.verdict, whileWaiting.result.why], ['not shown', 'interrupted'])
  const whileFiring = await drill({ from: 20 }, {}, 30_000)
  assert.equal(whileFiring.result.why, 'interrupted')
})
