import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { leakCheck } from '../testing/leak-check.ts'
import { publish } from './peer-loop.js'
import { encodeCommand, parseEvent } from './peer-process.ts'

leakCheck()

test('valid events parse to themselves', () => {
  const ready = { event: 'ready', protocol: 1, addresses: ['/ip4/127.0.0.1/udp/1/quic-v1'] }
  assert.deepEqual(parseEvent(JSON.stringify(ready)), ready)
  const count = { event: 'count', id: 3, links: 8, received: 2, copies: 5, latencies: [1.5, 2] }
  assert.deepEqual(parseEvent(JSON.stringify(count)), count)
})

test('lines that are not events are ignored: a peer may log', () => {
  for (const line of ['', 'hello', '{"msg":"listening"}', '[1]', 'null', '{"event":']) {
    assert.equal(parseEvent(line), undefined, line)
  }
})

test('an invalid event throws with its line', () => {
  const wrong = [
    '{"event":"surprise","id":1}',
    '{"event":"started"}',
    '{"event":"ready","protocol":2,"addresses":["/ip4/127.0.0.1"]}',
    '{"event":"ready","protocol":1,"addresses":[]}',
    '{"event":"count","id":1,"links":-1,"received":0,"latencies":[]}',
    '{"event":"count","id":1,"links":1,"received":0,"latencies":["fast"]}',
    '{"event":"cpu","id":1,"ms":null}',
  ]
  for (const line of wrong) assert.throws(() => parseEvent(line), /invalid event of the bench protocol.*event/, line)
})

test('a command is encoded as one line with its id', () => {
  const line = encodeCommand({ do: 'start', dial: ['/ip4/127.0.0.1/udp/1/quic-v1'] }, 7)
  assert.deepEqual(JSON.parse(line), { id: 7, do: 'start', dial: ['/ip4/127.0.0.1/udp/1/quic-v1'] })
  assert.equal(line.indexOf('\n'), line.length - 1)
})

/** Milliseconds between the time in a message and now. */
function lateness(data: Uint8Array): number {
  const stamped = new DataView(data.buffer, data.byteOffset).getBigUint64(0)
  return Number(process.hrtime.bigint() - stamped) / 1e6
}

test('a late publisher: messages carry the time they were due, and it catches up', async () => {
  const late: number[] = []
  const slow = {
    publish: async (data: Uint8Array) => {
      late.push(lateness(data))
      if (late.length === 1) await sleep(200)
    },
  }
  const startMs = performance.now()
  await publish(slow, 64, 100, 31)
  const tookMs = performance.now() - startMs
  // The second was due after 10 ms and published after 200.
  assert.ok((late[1] ?? 0) > 150, `${late}`)
  // A publisher that does not catch up takes at least 490 ms.
  assert.ok(tookMs >= 295 && tookMs < 490, `took ${tookMs} ms`)
})

test('no message carries a future time', async () => {
  const late: number[] = []
  await publish({ publish: async (data: Uint8Array) => late.push(lateness(data)) }, 64, 300, 60)
  assert.ok(
    late.every((ms) => ms >= 0),
    `${late}`,
  )
})
