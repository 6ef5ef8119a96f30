import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection, Stream } from '@libp2p/interface'
import type { NetworkEvent } from '../core/events.ts'
import { limits } from '../core/limits.ts'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import type { NetworkComponents } from './components.ts'
import { Connections } from './connections.ts'
import { LinkStreams } from './link-streams.ts'

leakCheck()

/** A connection whose streams open as the test says. */
function linkOf(newStream: () => Promise<Stream>) {
  const clock = new VirtualClock()
  const owner = new Owner('test', clock)
  const told: NetworkEvent[] = []
  const components = {} as NetworkComponents
  const connections = new Connections(components, owner, clock, undefined)
  const links = new LinkStreams({ components, owner, clock, connections, deliver: (event) => told.push(event) })
  const fake = {
    id: 'c',
    direction: 'outbound',
    status: 'open',
    newStream,
    abort: () => {},
  }
  connections.getOrCreate(fake as unknown as Connection)
  return { clock, links, told }
}

/** A stream to a peer that reads nothing. */
function unread(): Stream {
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

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

test('a stream that does not open within 5 s makes its connection unfit: QUIC would wait for ever', async () => {
  const { clock, links, told } = linkOf(() => new Promise(() => {}))
  links.open('c')
  links.open('c')
  clock.advance(4_999)
  assert.deepEqual(told, [])
  clock.advance(1)
  assert.deepEqual(told, [{ type: 'connection.rejected', connection: 'c', reason: 'silent' }])
})

test('a peer that does not read is given up once too much waits for it, not before', async () => {
  const { links, told } = linkOf(async () => unread())
  links.open('c')
  await settle()
  assert.deepEqual(told, [{ type: 'stream.open', connection: 'c' }])
  const frames = Math.floor(limits.linkOutBytes / 3)
  for (let i = 0; i < frames; i++) links.send('c', { type: 'probe' })
  await settle()
  assert.equal(told.length, 1)
  for (let i = 0; i < 3; i++) links.send('c', { type: 'probe' })
  assert.equal(told.length, 1, 'from within a send')
  await settle()
  assert.deepEqual(told.slice(1), [{ type: 'connection.rejected', connection: 'c', reason: 'limit' }])
})

test('frames are counted by type, and those without a stream as dropped', async () => {
  const { links } = linkOf(async () => unread())
  links.send('c', { type: 'probe' })
  links.open('c')
  await settle()
  links.send('c', { type: 'probe' })
  links.send('c', { type: 'unchanged', incarnation: 1, sequence: 2 })
  assert.deepEqual(links.counters.byType.probe, { in: 0, out: 1, bytesIn: 0, bytesOut: 3 })
  assert.deepEqual(links.counters.byType.unchanged, { in: 0, out: 1, bytesIn: 0, bytesOut: 19 })
  assert.equal(links.counters.dropped, 1)
})

test('a stream that the other side ended before we had it ends here too', async () => {
  let closed = 0
  const stream = Object.assign(unread(), { remoteWriteStatus: 'closed', close: async () => void closed++ })
  const { links } = linkOf(async () => stream)
  links.open('c')
  await settle()
  assert.equal(closed, 1)
})

test('a stream that ends within a frame is refused; one that ends after it is not', async () => {
  for (const [bytes, refused] of [
    [[0, 0, 4], 0],
    [[0, 9, 2, 123], 1],
  ] as const) {
    const stream = unread()
    const { links, told } = linkOf(async () => stream)
    links.open('c')
    await settle()
    stream.dispatchEvent(Object.assign(new Event('message'), { data: Uint8Array.from(bytes) }))
    stream.dispatchEvent(new Event('remoteCloseWrite'))
    assert.equal(told.filter(({ type }) => type === 'frame.refused').length, refused)
    assert.equal(links.counters.refused, refused)
  }
})

test('a stream that fails to open for another reason than the protocol has closed, it is not absent', async () => {
  const { links, told } = linkOf(() => Promise.reject(new Error('the connection is closing')))
  links.open('c')
  await settle()
  assert.deepEqual(told, [{ type: 'stream.closed', connection: 'c' }])
})
