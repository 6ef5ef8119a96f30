import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { type Loss, Outbox, type OutboxLimits, type Outcome, type QueueItem } from './outbox.ts'

leakCheck()

interface Numbered extends QueueItem {
  readonly id: number
}

const limits: OutboxLimits = {
  spans: 100,
  spanBytes: 10_000,
  batchSpans: 10,
  batchBytes: 1_000,
  retryMs: 500,
  retryMaxMs: 15_000,
  unknownsMax: 3,
}

/** An outbox on virtual time, whose receiver answers after 20 ms with whatever `outcome` says. */
function world(over: Partial<OutboxLimits> = {}, random = () => 0.5) {
  const clock = new VirtualClock()
  const state = { outcome: 'sent' as Outcome | 'silent', next: 1, inFlight: 0, closed: false }
  const sentAt: number[] = []
  const received: Numbered[] = []
  const reports: { level: string; message: string; fields: Record<string, unknown> }[] = []
  const outbox: Outbox<Numbered> = new Outbox<Numbered>({
    clock,
    random,
    limits: { ...limits, ...over },
    sender: {
      send(batch, answer) {
        assert.equal(state.inFlight++, 0, 'one request at a time')
        sentAt.push(clock.now())
        if (state.outcome === 'silent') return
        const outcome = state.outcome
        clock.after(20, () => {
          state.inFlight--
          if (outcome === 'sent') received.push(...batch)
          answer(outcome, new Error(outcome))
        })
      },
      close: () => {
        state.closed = true
      },
    },
    emitLoss: (loss) => add(loss),
    report: (level, message, fields) => reports.push({ level, message, fields }),
  })
  const add = (loss?: Loss, waitMs = 1_000): void => outbox.add({ id: state.next++, bytes: 10, loss }, waitMs)
  const burst = (count: number, waitMs?: number): void => {
    for (let i = 0; i < count; i++) add(undefined, waitMs)
  }
  const told = (): number => received.reduce((sum, { loss }) => sum + (loss?.count ?? 0), 0)
  return { clock, state, sentAt, received, reports, outbox, burst, told }
}

test('one request carries what a second has gathered, and an empty outbox has no timer', () => {
  const { clock, outbox, burst, received, sentAt } = world()
  assert.equal(clock.pending, 0)
  burst(1)
  clock.advance(500)
  burst(2)
  clock.advance(499)
  assert.deepEqual(sentAt, [])
  clock.advance(100)
  assert.deepEqual(sentAt, [1_000])
  assert.deepEqual([received.length, outbox.queued, outbox.sent, clock.pending], [3, 0, 3, 0])
})

test('a request leaves when the most urgent parcel has to, and takes the patient ones along', () => {
  const { clock, burst, received, sentAt } = world()
  burst(1, 15_000)
  clock.advance(4_000)
  burst(1, 1_000)
  clock.advance(500)
  burst(1, 15_000)
  clock.advance(1_000)
  assert.deepEqual([sentAt, received.length], [[5_000], 3])
})

test('patient parcels alone wait as long as they may, counted from the first of them', () => {
  const { clock, burst, received, sentAt } = world()
  burst(1, 15_000)
  clock.advance(5_000)
  burst(1, 15_000)
  clock.advance(10_019)
  assert.deepEqual([sentAt, received.length], [[15_000], 0])
  burst(1, 15_000)
  clock.advance(30_000)
  assert.deepEqual([sentAt, received.length], [[15_000, 30_019], 3])
})

test('what came while a request was out waits no longer than it may', () => {
  const { clock, burst, sentAt } = world()
  burst(10)
  clock.advance(10)
  burst(1, 15_000)
  burst(1, 100)
  clock.advance(1_000)
  assert.deepEqual(sentAt, [0, 110])
})

test('a full batch does not wait', () => {
  const { clock, burst, sentAt } = world()
  burst(10)
  clock.advance(0)
  assert.deepEqual(sentAt, [0])
})

test('while nobody takes a batch it is tried again after 0.5, 1, 2, 4, 8, 15, 15 s less jitter, for ever', () => {
  const { clock, state, burst, sentAt, received, reports } = world({}, () => 1)
  state.outcome = 'retryable'
  burst(10)
  clock.advance(60_000)
  const waits = sentAt.slice(1).map((at, i) => at - (sentAt[i] ?? 0) - 20)
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000])
  state.outcome = 'sent'
  clock.advance(15_020)
  assert.deepEqual(
    received.map(({ id }) => id),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  )
  assert.deepEqual(
    reports.map(({ level }) => level),
    ['warn', 'info'],
  )
})

test('jitter lies in the upper half of the wait', () => {
  const { clock, state, burst, sentAt } = world({}, () => 0)
  state.outcome = 'retryable'
  burst(10)
  clock.advance(1_000)
  assert.deepEqual(sentAt, [0, 270, 790])
})

test('beyond the bound the oldest go, and the first request that is taken again tells how many', () => {
  const { clock, state, outbox, burst, received, told } = world()
  state.outcome = 'retryable'
  burst(10)
  clock.advance(10)
  burst(140)
  assert.equal(outbox.lost, 50)
  state.outcome = 'sent'
  clock.advance(60_000)
  assert.equal(told(), 50)
  assert.deepEqual(
    received.slice(0, 10).map(({ id }) => id),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  )
  assert.equal(received.length + told(), state.next - 1)
})

test('a lost parcel that told of losses gives its count back, and counts itself', () => {
  const { clock, state, outbox, burst, told } = world({ spans: 12, batchSpans: 4 })
  state.outcome = 'retryable'
  burst(20)
  clock.advance(5)
  state.outcome = 'sent'
  clock.advance(1_020)
  state.outcome = 'retryable'
  burst(40)
  clock.advance(2_000)
  state.outcome = 'sent'
  clock.advance(120_000)
  assert.equal(outbox.queued, 0)
  assert.equal(told(), outbox.lost)
})

test('what is refused is lost at once; what is doubtful, after three times', () => {
  const { clock, state, outbox, burst, sentAt } = world()
  state.outcome = 'refused'
  burst(10)
  clock.advance(100)
  assert.deepEqual([sentAt.length, outbox.lost, outbox.queued], [1, 10, 0])
  state.outcome = 'unknown'
  burst(10)
  clock.advance(30_000)
  assert.deepEqual([sentAt.length, outbox.lost, outbox.queued], [4, 20, 0])
})

test('refused parcels are told of once others are taken', () => {
  const { clock, state, burst, received } = world()
  state.outcome = 'refused'
  burst(10)
  clock.advance(100)
  state.outcome = 'sent'
  burst(1)
  clock.advance(3_000)
  assert.deepEqual(
    received.map(({ loss }) => loss),
    [undefined, { where: 'refused', count: 10 }],
  )
})

test('a flush does not wait for a batch to fill, nor for a retry that is due later', async () => {
  const { clock, state, outbox, burst, sentAt } = world()
  state.outcome = 'retryable'
  burst(25)
  clock.advance(20_000)
  state.outcome = 'sent'
  const flushed = outbox.flush(1_000)
  clock.advance(100)
  assert.equal(await flushed, 0)
  assert.deepEqual(sentAt.slice(-3), [20_000, 20_020, 20_040])
  assert.equal(clock.pending, 0)
})

test('a flush ends with its limit and says what is left; nothing is lost by it', async () => {
  const { clock, state, outbox, burst } = world()
  state.outcome = 'retryable'
  burst(25)
  const flushed = outbox.flush(2_000)
  clock.advance(2_000)
  assert.equal(await flushed, 25)
  assert.equal(outbox.lost, 0)
})

test('closing reports exactly what no span tells of, also when the receiver never answers', async () => {
  const { clock, state, outbox, burst, reports } = world()
  state.outcome = 'silent'
  burst(130)
  const closed = outbox.close(2_000)
  clock.advance(2_000)
  assert.equal(await closed, 130)
  assert.deepEqual(reports.at(-1)?.fields, { lost: 130, ring: 30, refused: 0, exit: 100 })
  assert.deepEqual([outbox.queued, clock.pending, state.closed], [0, 0, true])
})

test('an answer that comes after closing changes nothing', async () => {
  for (const late of ['sent', 'retryable', 'refused'] as const) {
    const { clock, state, outbox, burst, sentAt, reports } = world()
    state.outcome = late
    burst(10)
    const closed = outbox.close(10)
    clock.advance(10)
    assert.equal(await closed, 10)
    clock.advance(60_000)
    assert.deepEqual([sentAt.length, outbox.sent, outbox.lost, reports.length, clock.pending], [1, 0, 10, 1, 0])
  }
})

test('any order of bursts, absences, refusals and pauses: told less received is what is told lost, exactly', async () => {
  const step = fc.oneof(
    fc.record({ burst: fc.integer({ min: 1, max: 160 }) }),
    fc.record({ pause: fc.integer({ min: 0, max: 40_000 }) }),
    fc.record({ outcome: fc.constantFrom<Outcome>('sent', 'retryable', 'refused', 'unknown') }),
  )
  const runs = fc.asyncProperty(
    fc.array(step, { maxLength: 40 }),
    fc.boolean(),
    fc.integer(),
    async (steps, back, seed) => {
      const { clock, state, outbox, received, burst, told } = world({ spans: 60 }, seededRandom(seed))
      for (const now of steps) {
        if ('burst' in now) burst(now.burst)
        else if ('pause' in now) clock.advance(now.pause)
        else state.outcome = now.outcome
        assert.equal(outbox.sent + outbox.lost + outbox.queued, state.next - 1)
      }
      if (back) state.outcome = 'sent'
      const closed = outbox.close(5_000)
      // The limit of the closing is one more timer: time runs on until it is over.
      for (let i = 0; i < 50; i++) clock.advance(100)
      const unreported = await closed
      assert.equal(state.next - 1 - received.length, told() + unreported)
      assert.equal(new Set(received.map(({ id }) => id)).size, received.length)
      assert.equal(outbox.lost, state.next - 1 - received.length)
      assert.equal(clock.pending - state.inFlight, 0)
    },
  )
  await fc.assert(runs, { numRuns: 300 })
})
