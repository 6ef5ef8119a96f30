import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Connection, Stream } from '@libp2p/interface'
import type { NetworkEvent } from '../../core/events.ts'
import { limits } from '../../core/limits.ts'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import type { NetworkComponents } from '../components.ts'
import { Connections } from './connections.ts'
import { LinkStreams } from './link-streams.ts'

leakCheck()

/** Link streams on a connection whose streams the test opens. */
function linkOf(newStream: () => Promise<Stream>) {
  const clock = new VirtualClock()
  const owner = new Owner('test', clock)
  const events: NetworkEvent[] = []
  const components = {} as NetworkComponents
  const connections = new Connections(components, owner, clock, undefined)
  const links = new LinkStreams({ components, owner, clock, connections, deliver: (event) => events.push(event) })
  const fake = {
    id: 'c',
    direction: 'outbound',
    status: 'open',
    newStream,
    abort: () => {},
  }
  connections.getOrCreate(fake as unknown as Connection)
  return { clock, links, events }
}

/** A stream to a peer that reads nothing. */
function unreadStream(): Stream {
  const stream = Object.assign(new EventTarget(), {
    status: 'open',
    writeStatus: 'writable',
    writeBufferLength: 0,
    send: (bytes: Uint8Array) => {
      stream.writeBufferLength += bytes.length
      return false
    },
    close: async () => {},
    abort: () => {},
  })
  return stream as unknown as Stream
}

test('a stream that does not open within 5 s: the connection is rejected as silent', async () => {
  const { clock, links, events } = linkOf(() => new Promise(() => {}))
  links.open('c')
  links.open('c')
  clock.advance(4_999)
  assert.deepEqual(events, [])
  clock.advance(1)
  assert.deepEqual(events, [{ type: 'connection.rejected', connection: 'c', reason: 'silent' }])
})

test('a peer that does not read: the connection is rejected at the limit of the write buffer', async () => {
  const { links, events } = linkOf(async () => unreadStream())
  links.open('c')
  await nextTurn()
  assert.deepEqual(events, [{ type: 'stream.open', connection: 'c' }])
  const frames = Math.floor(limits.linkOutBytes / 3)
  for (let i = 0; i < frames; i++) links.send('c', { type: 'probe' })
  await nextTurn()
  assert.equal(events.length, 1)
  for (let i = 0; i < 3; i++) links.send('c', { type: 'probe' })
  assert.equal(events.length, 1, 'from within a send')
  await nextTurn()
  assert.deepEqual(events.slice(1), [{ type: 'connection.rejected', connection: 'c', reason: 'limit' }])
})

test('frames are counted by type, and as dropped without a stream', async () => {
  const { links } = linkOf(async () => unreadStream())
  links.send('c', { type: 'probe' })
  links.open('c')
  await nextTurn()
  links.send('c', { type: 'probe' })
  links.send('c', { type: 'unchanged', incarnation: 1, sequence: 2 })
  assert.deepEqual(links.counters.byType.probe, { in: 0, out: 1, bytesIn: 0, bytesOut: 3 })
  assert.deepEqual(links.counters.byType.unchanged, { in: 0, out: 1, bytesIn: 0, bytesOut: 19 })
  assert.equal(links.counters.dropped, 1)
})

test('a stream that the other side ended before it opened here ends here too', async () => {
  let closes = 0
  const stream = Object.assign(unreadStream(), { remoteWriteStatus: 'closed', close: async () => void closes++ })
  const { links } = linkOf(async () => stream)
  links.open('c')
  await nextTurn()
  assert.equal(closes, 1)
})

test('a stream that ends within a frame is refused; one that ends after a frame is not', async () => {
  for (const [bytes, refusals] of [
    [[0, 0, 4], 0],
    [[0, 9, 2, 123], 1],
  ] as const) {
    const stream = unreadStream()
    const { links, events } = linkOf(async () => stream)
    links.open('c')
    await nextTurn()
    stream.dispatchEvent(Object.assign(new Event('message'), { data: Uint8Array.from(bytes) }))
    stream.dispatchEvent(new Event('remoteCloseWrite'))
    assert.equal(events.filter(({ type }) => type === 'frame.refused').length, refusals)
    assert.equal(links.counters.refused, refusals)
  }
})

test('a stream that fails to open, but not for its protocol: closed, not absent', async () => {
  const { links, events } = linkOf(() => Promise.reject(new Error('the connection is closing')))
  links.open('c')
  await nextTurn()
  assert.deepEqual(events, [{ type: 'stream.closed', connection: 'c' }])
})
