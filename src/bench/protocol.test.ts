import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { encodeCommand, parseEvent } from './protocol.ts'

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
