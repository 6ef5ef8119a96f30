import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { findTraces } from './find-traces.ts'
import type { TraceSpan } from './trace.ts'

leakCheck()

const [fromMs, toMs, limit] = [0, 32_000_000, 100]
/** Of the newest 32nd, which is searched first. */
const newestMs = 31_000_000

/** Searches a store of traces with a span at each of their times, and returns the counts that it was asked for. */
async function search(traces: readonly (readonly number[])[]) {
  const counts: number[] = []
  const spanAt = (traceId: string, startMs: number) => ({ traceId, service: 'mesh-a', startMs }) as TraceSpan
  const found = await findTraces(
    { service: 'mesh-a', fromMs, toMs, limit },
    { count: 500, ms: 10_000 },
    async (range, count) => {
      counts.push(count)
      const inRange = traces
        .map((times, index) => ({ traceId: String(index), spans: times.map((ms) => spanAt(String(index), ms)) }))
        .filter(({ spans }) => spans.some(({ startMs }) => startMs >= range.fromMs && startMs < range.toMs))
        .slice(0, count)
      return { traces: inRange, isFull: inRange.length >= count, unreadable: [] }
    },
  )
  return { ids: found.traces.map(({ traceId }) => Number(traceId)), partial: found.partial, counts }
}

const newestFirst = Array.from({ length: 200 }, (_, index) => index)

test('a long range whose newest part has ten traces: only those that lack are requested of the rest', async () => {
  const { ids, partial, counts } = await search(newestFirst.map((index) => [newestMs + 950_000 - index * 100_000]))
  assert.deepEqual([counts, ids], [[101, 91], newestFirst.slice(0, limit)])
  assert.equal(partial, 'more than 100 traces match; these are the newest')
})

test('ten traces of both parts: the rest is requested again, with as many as they take', async () => {
  const straddling = newestFirst.slice(0, 10).map((index) => [newestMs - 1, newestMs + 950_000 - index])
  const { ids, counts } = await search([...straddling, ...newestFirst.slice(10).map((index) => [newestMs - index])])
  assert.deepEqual([counts, ids.length, new Set(ids)], [[101, 91, 101], limit, new Set(newestFirst.slice(0, limit))])
})
