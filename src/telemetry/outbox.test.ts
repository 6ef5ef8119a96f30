import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import {
  type Loss,
  Outbox,
  type OutboxLimits,
  type Outcome,
  type QueueItem,
  resolveLimits,
  SpanQueue,
} from './outbox.ts'

leakCheck()

interface Numbered extends QueueItem {
  readonly id: number
}

const limits: OutboxLimits = {
  queuedSpans: 100,
  queuedBytes: 10_000,
  batchSpans: 10,
  batchBytes: 1_000,
  backoff: { minMs: 500, maxMs: 15_000 },
  maxUnknowns: 3,
}

const lossSpan = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }

const numbersUpTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

/** An outbox on virtual time, whose receiver answers after 20 ms with `outcome`. */
function createOutbox(over: Partial<OutboxLimits> = {}, random = () => 0.5) {
  const clock = new VirtualClock()
  const state = { outcome: 'sent' as Outcome | 'silent', next: 1, inFlight: 0, isClosed: false }
  const sentAt: number[] = []
  const received: Numbered[] = []
  const reports: { level: string; message: string; fields: Record<string, unknown> }[] = []
  const outbox: Outbox<Numbered> = new Outbox<Numbered>({
    clock,
    random,
    limits: { ...limits, ...over },
    sender: {
      send(batch, onOutcome) {
        assert.equal(state.inFlight++, 0, 'one request at a time')
        sentAt.push(clock.now())
        if (state.outcome === 'silent') return
        const outcome = state.outcome
        clock.after(20, () => {
          state.inFlight--
          if (outcome === 'sent') received.push(...batch)
          onOutcome(outcome, new Error(outcome))
        })
      },
      close: () => {
        state.isClosed = true
      },
    },
    emitLoss: (_span, loss) => {
      add(loss)
      return lossSpan
    },
    report: (level, message, fields) => reports.push({ level, message, fields }),
  })
  const add = (loss?: Loss, maxDelayMs = 1_000): void => outbox.add({ id: state.next++, bytes: 10, loss }, maxDelayMs)
  const burst = (count: number, maxDelayMs?: number): void => {
    for (let i = 0; i < count; i++) add(undefined, maxDelayMs)
  }
  const reportedLosses = (): number => received.reduce((sum, { loss }) => sum + (loss?.count ?? 0), 0)
  const receivedIds = () => received.map(({ id }) => id)
  return { clock, state, sentAt, received, receivedIds, reports, outbox, burst, reportedLosses }
}

interface Schedule {
  /** Items to add with their longest delay, or milliseconds to wait. */
  readonly steps: readonly (number | readonly [count: number, maxDelayMs: number])[]
  readonly sentAt: readonly number[]
  readonly received: number
}

const schedules: Readonly<Record<string, Schedule>> = {
  'items added within a second: leave in one request': {
    steps: [[1, 1_000], 500, [2, 1_000], 520],
    sentAt: [1_000],
    received: 3,
  },
  'items of different delays: all leave when the most urgent one is due': {
    steps: [[1, 15_000], 4_000, [1, 1_000], 500, [1, 15_000], 1_000],
    sentAt: [5_000],
    received: 3,
  },
  'items of a long delay only: leave when the first of them is due': {
    steps: [[1, 15_000], 5_000, [1, 15_000], 10_019, [1, 15_000], 30_000],
    sentAt: [15_000, 30_019],
    received: 3,
  },
  'items added while a request is in flight: leave when they are due': {
    steps: [[10, 1_000], 10, [1, 15_000], [1, 100], 1_000],
    sentAt: [0, 110],
    received: 12,
  },
  'a full batch: leaves at once': { steps: [[10, 1_000], 20], sentAt: [0], received: 10 },
}

for (const [title, { steps, sentAt, received }] of Object.entries(schedules))
  test(`${title}, and an empty outbox has no timer`, () => {
    const run = createOutbox()
    assert.equal(run.clock.pending, 0)
    for (const step of steps) {
      if (typeof step === 'number') run.clock.advance(step)
      else run.burst(...step)
    }
    assert.deepEqual([run.sentAt, run.received.length], [sentAt, received])
    assert.deepEqual([run.outbox.queued, run.outbox.sent, run.clock.pending], [0, received, 0])
  })

test('a retryable batch: is retried after 0.5, 1, 2, 4, 8, 15, 15 s, at least half of each, without limit', () => {
  const { clock, state, burst, sentAt, receivedIds, reports } = createOutbox({}, () => 1)
  state.outcome = 'retryable'
  burst(10)
  clock.advance(60_000)
  const delays = sentAt.slice(1).map((at, i) => at - (sentAt[i] ?? 0) - 20)
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000])
  state.outcome = 'sent'
  clock.advance(15_020)
  assert.deepEqual(receivedIds(), numbersUpTo(10))
  const levels = reports.map(({ level }) => level)
  assert.deepEqual(levels, ['warn', 'info'])
  const jittered = createOutbox({}, () => 0)
  jittered.state.outcome = 'retryable'
  jittered.burst(10)
  jittered.clock.advance(1_000)
  assert.deepEqual(jittered.sentAt, [0, 270, 790], 'half of each delay')
})

test('more items than the bound: the oldest are evicted, and the next delivery reports how many', () => {
  const { clock, state, outbox, burst, receivedIds, reportedLosses } = createOutbox()
  state.outcome = 'retryable'
  burst(10)
  clock.advance(10)
  burst(140)
  assert.equal(outbox.lost, 50)
  state.outcome = 'sent'
  clock.advance(60_000)
  assert.equal(reportedLosses(), 50)
  assert.deepEqual(receivedIds().slice(0, 10), numbersUpTo(10))
  assert.equal(receivedIds().length + reportedLosses(), state.next - 1)
})

test('a lost item that reported losses: its count is reported again, plus itself', () => {
  const { clock, state, outbox, burst, reportedLosses } = createOutbox({ queuedSpans: 12, batchSpans: 4 })
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
  assert.equal(reportedLosses(), outbox.lost)
})

for (const [outcome, attempts] of [
  ['refused', 1],
  ['unknown', 3],
] as const)
  test(`a batch of outcome ${outcome}: is lost at attempt ${attempts}, which the next delivery and the log report`, () => {
    const { clock, state, outbox, burst, sentAt, received, reports } = createOutbox()
    state.outcome = outcome
    burst(10)
    clock.advance(30_000)
    assert.deepEqual([sentAt.length, outbox.lost, outbox.queued], [attempts, 10, 0])
    state.outcome = 'sent'
    burst(1)
    clock.advance(3_000)
    const loss = { where: 'refused', count: 10 }
    const losses = received.map((item) => item.loss)
    assert.deepEqual(losses, [undefined, loss])
    const fields = { ...loss, trace_id: lossSpan.traceId, span_id: lossSpan.spanId }
    assert.deepEqual(reports.at(-1), { level: 'error', message: 'spans were lost', fields })
  })

test('a flush: returns the number still queued at its limit; sends without waiting for a retry or a full batch', async () => {
  const { clock, state, outbox, burst, sentAt } = createOutbox()
  state.outcome = 'retryable'
  burst(25)
  const failing = outbox.flush(20_000)
  clock.advance(20_000)
  assert.deepEqual([await failing, outbox.lost], [25, 0])
  state.outcome = 'sent'
  const flushing = outbox.flush(1_000)
  clock.advance(100)
  assert.deepEqual([await flushing, sentAt.slice(-3), clock.pending], [0, [20_000, 20_020, 20_040], 0])
})

test('flushes while the receiver is away: one warning; the first delivery logs the recovery', async () => {
  const { clock, state, outbox, burst, reports } = createOutbox()
  state.outcome = 'retryable'
  burst(10)
  clock.advance(100)
  for (const outcome of ['retryable', 'sent'] as const) {
    state.outcome = outcome
    const flushed = outbox.flush(200)
    clock.advance(300)
    await flushed
  }
  const messages = reports.map(({ message }) => message)
  assert.deepEqual(messages, ['OTLP export failed, spans queued', 'OTLP export recovered'])
})

test('closing while the receiver never answers: reports exactly the losses that no span reports', async () => {
  const { clock, state, outbox, burst, reports } = createOutbox()
  state.outcome = 'silent'
  burst(130)
  const closing = outbox.close(2_000)
  clock.advance(2_000)
  assert.equal(await closing, 130)
  assert.deepEqual(reports.at(-1)?.fields, { lost: 130, ring: 30, refused: 0, exit: 100 })
  assert.deepEqual([outbox.queued, clock.pending, state.isClosed], [0, 0, true])
})

test('an answer after closing: changes nothing', async () => {
  for (const late of ['sent', 'retryable', 'refused'] as const) {
    const { clock, state, outbox, burst, sentAt, reports } = createOutbox()
    state.outcome = late
    burst(10)
    const closing = outbox.close(10)
    clock.advance(10)
    assert.equal(await closing, 10)
    clock.advance(60_000)
    assert.deepEqual([sentAt.length, outbox.sent, outbox.lost, reports.length, clock.pending], [1, 0, 10, 1, 0])
  }
})

test('any order of bursts, absences, refusals and pauses: added less received is the reported loss', (t) => {
  const step = fc.oneof(
    fc.record({ burst: fc.integer({ min: 1, max: 160 }) }),
    fc.record({ pause: fc.integer({ min: 0, max: 40_000 }) }),
    fc.record({ outcome: fc.constantFrom<Outcome>('sent', 'retryable', 'refused', 'unknown') }),
  )
  const arbitraries = [fc.array(step, { maxLength: 40 }), fc.boolean(), fc.integer()] as const
  return forAll({ t, numRuns: 300 }, [...arbitraries], async (steps, recovers, seed) => {
    const run = createOutbox({ queuedSpans: 60 }, seededRandom(seed))
    const { clock, state, outbox, receivedIds, burst, reportedLosses } = run
    for (const action of steps) {
      if ('burst' in action) burst(action.burst)
      else if ('pause' in action) clock.advance(action.pause)
      else state.outcome = action.outcome
      assert.equal(outbox.sent + outbox.lost + outbox.queued, state.next - 1)
    }
    if (recovers) state.outcome = 'sent'
    const closing = outbox.close(5_000)
    // Let the close timeout, which is one more timer, run out.
    for (let i = 0; i < 50; i++) clock.advance(100)
    const unreported = await closing
    const ids = receivedIds()
    const lost = state.next - 1 - ids.length
    assert.deepEqual([reportedLosses() + unreported, outbox.lost], [lost, lost])
    assert.equal(new Set(ids).size, ids.length)
    assert.equal(clock.pending - state.inFlight, 0)
  })
})

test('OTEL_BSP_* variables: positive integers set delay, batch and bound, other values are ignored', () => {
  const { delayMs, queuedSpans, batchSpans } = resolveLimits({})
  assert.deepEqual([delayMs, queuedSpans, batchSpans], [undefined, 20_000, 512])
  const env = { OTEL_BSP_SCHEDULE_DELAY: '200', OTEL_BSP_MAX_QUEUE_SIZE: '50', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '0' }
  assert.deepEqual(resolveLimits(limits, env), { ...limits, delayMs: 200, queuedSpans: 50 })
  const invalid = { OTEL_BSP_SCHEDULE_DELAY: 'soon', OTEL_BSP_MAX_QUEUE_SIZE: 'Infinity' }
  assert.deepEqual(resolveLimits(limits, invalid), limits)
})

test('any order of push, take and release: the queue evicts the oldest when it must, and takes them in order', (t) => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 70 }) }),
    fc.record({ take: fc.integer({ min: 1, max: 6 }), bytes: fc.integer({ min: 1, max: 60 }) }),
    fc.constant('release' as const),
  )
  return forAll({ t }, [fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 200 })], (capacity, steps) => {
    const queue = new SpanQueue<QueueItem>(capacity, 60)
    let waiting: readonly QueueItem[] = []
    let inFlight: readonly QueueItem[] = []
    const bytesOf = (items: readonly QueueItem[]) => items.reduce((sum, { bytes }) => sum + bytes, 0)
    const exceeds = (items: readonly QueueItem[]) => items.length > capacity || bytesOf(items) > 60
    for (const action of steps) {
      if (action === 'release') {
        queue.release()
        inFlight = []
      } else if ('push' in action) {
        const all = [...waiting, { bytes: action.push }]
        const { length } = queue.push(all.at(-1) as QueueItem)
        if (length > 0) assert.ok(exceeds([...inFlight, ...all.slice(length - 1)]), 'evicts no more than it must')
        waiting = all.slice(length)
        assert.ok(!exceeds([...inFlight, ...waiting]))
      } else {
        const batch = queue.take(action.take, action.bytes)
        assert.deepEqual(batch, waiting.slice(0, batch.length))
        const next = waiting.slice(0, batch.length + 1)
        const isFull = next.length > action.take || bytesOf(next) > action.bytes
        assert.ok(batch.length <= action.take && (batch.length === 1 || bytesOf(batch) <= action.bytes))
        assert.ok(inFlight.length > 0 ? batch.length === 0 : batch.length === waiting.length || isFull)
        waiting = waiting.slice(batch.length)
        if (batch.length > 0) inFlight = batch
      }
      assert.deepEqual([queue.size, queue.waitingCount], [inFlight.length + waiting.length, waiting.length])
    }
    assert.deepEqual(queue.clear(), [...inFlight, ...waiting])
    assert.equal(queue.size, 0)
  })
})
