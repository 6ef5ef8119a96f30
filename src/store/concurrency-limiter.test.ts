import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { ConcurrencyLimiter } from './concurrency-limiter.ts'

leakCheck()

test('one slot and one waiter: the third caller is refused, a released slot passes to the waiter', async () => {
  const limiter = new ConcurrencyLimiter(1, 1)
  const { signal } = new AbortController()
  const first = await limiter.acquire(signal)
  const second = limiter.acquire(signal)
  assert.equal(await limiter.acquire(signal), undefined)
  first?.()
  first?.()
  const release = await second
  const third = limiter.acquire(signal)
  assert.equal(await limiter.acquire(signal), undefined, 'releasing twice frees one slot')
  release?.()
  assert.ok(await third)
})

test('a waiter that aborts: leaves the queue, and gets no slot', async () => {
  const limiter = new ConcurrencyLimiter(1, 1)
  const { signal } = new AbortController()
  const first = await limiter.acquire(signal)
  const aborting = new AbortController()
  const aborted = assert.rejects(limiter.acquire(aborting.signal), /gave up/)
  aborting.abort(new Error('gave up'))
  await aborted
  const next = limiter.acquire(signal)
  first?.()
  assert.ok(await next)
  await assert.rejects(limiter.acquire(aborting.signal), /gave up/)
})
