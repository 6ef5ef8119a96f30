import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { Connection, Stream } from '@libp2p/interface'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import { opensStream } from './stream-check.ts'

leakCheck()

let owner: Owner
afterEach(() => owner.close())

/** Checks a connection whose `newStream` is this; `closes` counts the streams that were closed. */
function check(newStream: (stream: Stream) => Promise<Stream>) {
  const clock = new VirtualClock()
  owner = new Owner('test', clock)
  const counts = { closes: 0, aborts: 0 }
  const stream = { close: async () => void counts.closes++, abort: () => void counts.aborts++ } as unknown as Stream
  const connection = { newStream: () => newStream(stream) } as unknown as Connection
  return { clock, counts, stream, result: opensStream(connection, owner, 5_000) }
}

test('a stream that opens: yes, and it is closed', async () => {
  const { result, counts, clock } = check(async (stream) => stream)
  assert.equal(await result, true)
  assert.deepEqual([counts, clock.pending], [{ closes: 1, aborts: 0 }, 0])
})

test('a peer without the protocol, or a connection that ends: yes', async () => {
  const { result } = check(() => Promise.reject(new Error('protocol selection failed')))
  assert.equal(await result, true)
})

test('a stream that does not open within 5 s: no; one that opens later is closed', async () => {
  const late = Promise.withResolvers<Stream>()
  const { result, counts, stream, clock } = check(() => late.promise)
  clock.advance(5_000)
  assert.equal(await result, false)
  late.resolve(stream)
  await late.promise
  await null
  assert.equal(counts.closes, 1)
})

test('a node that stops: yes, without a stream', async () => {
  const clock = new VirtualClock()
  owner = new Owner('test', clock)
  await owner.close()
  assert.equal(await opensStream({} as Connection, owner, 5_000), true)
})
