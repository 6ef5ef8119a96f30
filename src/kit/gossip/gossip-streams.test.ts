import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { RPC } from '@chainsafe/libp2p-gossipsub/message'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import type { GossipInternals, OutboundStream, RawMessage } from './gossip-internals.ts'
import { GossipStreams, type UnsentMessage } from './gossip-streams.ts'

leakCheck()

const limits: Readonly<Record<string, number>> = { go: 1_048_576, rust: 65_536 }

let owner: Owner
afterEach(() => owner?.close())

/** A guard on a fake gossipsub with its tables and streams; the test's end closes its owner. */
function createGuard({ buffer = 2_000_000, createOutboundStream = (_: PeerId) => new Promise<void>(() => {}) } = {}) {
  const clock = new VirtualClock()
  owner = new Owner('test', clock)
  const offered: string[][] = []
  const gossip = {
    peers: new Map<string, PeerId>(),
    streamsOutbound: new Map<string, OutboundStream>(),
    streamsInbound: new Map<string, { rawStream: Stream }>(),
    outboundInflightQueue: { readableLength: 0 },
    mcache: {
      msgs: new Map<string, { message: RawMessage }>(),
      msgIdToStrFn: String,
      put(id: unknown, message: RawMessage) {
        this.msgs.set(String(id), { message })
        return true
      },
    },
    createOutboundStream,
    async pipePeerReadStream(peer: PeerId, source: AsyncIterable<unknown>) {
      try {
        for await (const _ of source);
      } catch {
        this.removePeer(peer)
      }
    },
    pushGossip: (_: string, { messageIDs = [] }: { messageIDs?: readonly Uint8Array[] }) => {
      offered.push(messageIDs.map(String))
    },
    removePeer: (peer: PeerId) => void gossip.peers.delete(String(peer)),
  }
  const unsent: UnsentMessage[] = []
  const slow: string[] = []
  const guard = new GossipStreams({
    gossip: gossip as unknown as GossipInternals,
    owner,
    clock,
    limitOf: (peer) => limits[peer] ?? 0,
    smallestLimit: 65_536,
    onUnsent: (message) => unsent.push(message),
    onChange: () => {},
    onSlow: (connection, ms) => slow.push(`${connection} ${ms}`),
  })
  guard.start()
  const open = (peer: string) => {
    const rawStream = stream({ maxWriteBufferLength: buffer })
    const sent: RPC[] = []
    const push = (rpc: Uint8Array) => void sent.push(RPC.decode(rpc))
    const pushPrefixed = (rpc: { subarray(): Uint8Array }) => push(rpc.subarray().subarray(prefix))
    const outbound = { rawStream, push, pushPrefixed } as unknown as OutboundStream
    gossip.peers.set(peer, peer as unknown as PeerId)
    gossip.streamsOutbound.set(peer, outbound)
    return { outbound, sent, rawStream }
  }
  return { clock, gossip, guard, unsent, slow, offered, open }
}

/** Bytes of the length prefix of an RPC of more than 16 KiB and up to 2 MiB. */
const prefix = 3

function stream(extra: object) {
  const open = { status: 'open', writeStatus: 'writable', remoteWriteStatus: 'writable', writeBufferLength: 0 }
  return Object.assign(new EventTarget(), open, extra) as unknown as Stream & { writeBufferLength: number }
}

const rpc = (...sizes: number[]) =>
  RPC.encode({ subscriptions: [], messages: sizes.map((size) => ({ topic: 'news', data: new Uint8Array(size) })) })
const sizesOf = (sent: readonly RPC[]) => sent.map(({ messages }) => messages.map(({ data }) => data?.length))

describe('the guard measures an RPC before gossipsub sends it', () => {
  test('20 messages of 60 kB in one RPC: split into single ones; small ones share parts', () => {
    const { open, unsent } = createGuard()
    const answer = rpc(...Array(20).fill(60_000))
    const go = open('go')
    const rust = open('rust')
    go.outbound.push(answer)
    rust.outbound.push(answer)
    assert.deepEqual(sizesOf(go.sent), Array(20).fill([60_000]))
    go.outbound.push(rpc(...Array(20).fill(5_000)))
    const shared = go.sent.slice(20).map(({ messages }) => messages.length)
    assert.deepEqual(shared, [13, 7])
    assert.deepEqual(sizesOf(rust.sent), Array(20).fill([60_000]))
    assert.deepEqual(unsent, [])
  })

  test('a message above the neighbour’s limit: not sent, reported, and gossipsub gets an error', () => {
    const { open, unsent } = createGuard()
    const { outbound, sent } = open('rust')
    const published = rpc(70_000)
    const length = Uint8Array.of(
      (published.length & 0x7f) | 0x80,
      ((published.length >> 7) & 0x7f) | 0x80,
      published.length >> 14,
    )
    const prefixed = Buffer.concat([length, published])
    assert.throws(() => outbound.pushPrefixed({ byteLength: prefixed.length, subarray: () => prefixed }), /rust/)
    assert.deepEqual(sent, [])
    assert.deepEqual(unsent, [{ peer: 'rust', reason: 'size', topic: 'news', bytes: published.length, limit: 65_536 }])
    outbound.push(rpc(100))
    assert.deepEqual(sizesOf(sent), [[100]])
  })

  test('a large message within the neighbour’s limit is sent unchanged', () => {
    const { open, unsent } = createGuard()
    const { outbound, sent } = open('go')
    outbound.push(rpc(900_000))
    assert.deepEqual(sizesOf(sent), [[900_000]])
    assert.deepEqual(unsent, [])
  })

  test('a neighbour that does not read: no further messages, but subscriptions and control', () => {
    const { open, unsent } = createGuard({ buffer: 1_000_000 })
    const { outbound, sent, rawStream } = open('go')
    rawStream.writeBufferLength = 950_000
    assert.throws(() => outbound.push(rpc(1_000)))
    outbound.push(RPC.encode({ subscriptions: [{ topic: 'news', subscribe: true }], messages: [] }))
    const subscriptions = sent.map(({ subscriptions }) => subscriptions.length)
    assert.deepEqual(subscriptions, [1])
    assert.deepEqual(unsent, [{ peer: 'go', reason: 'backlog', topic: 'news', bytes: 950_000, limit: 1_000_000 }])
  })

  test('a closed owner: gossipsub has its original methods again', async () => {
    const { gossip, open, unsent } = createGuard()
    const { outbound, sent } = open('rust')
    await owner.close()
    outbound.push(rpc(70_000))
    assert.equal(sent.length, 1)
    assert.deepEqual(unsent, [])
    for (const table of [gossip.streamsOutbound, gossip.streamsInbound]) assert.ok(!Object.hasOwn(table, 'set'))
  })
})

test('IHAVE omits only the messages above the neighbour’s limit', () => {
  const { clock, gossip, offered } = createGuard()
  const ids = [Uint8Array.of(1), Uint8Array.of(2)]
  const offer = () => gossip.pushGossip('rust', { messageIDs: ids })
  gossip.mcache.put(ids[0], { topic: 'news', data: new Uint8Array(100) })
  offer()
  gossip.mcache.put(ids[1], { topic: 'news', data: new Uint8Array(70_000) })
  offer()
  gossip.pushGossip('go', { messageIDs: ids })
  gossip.pushGossip('rust', { messageIDs: ids.slice(1) })
  assert.deepEqual(offered, [['1', '2'], ['1'], ['1', '2']])
  // The large message has left the cache by then.
  clock.advance(60_000)
  offer()
  assert.deepEqual(offered.at(-1), ['1', '2'])
})

describe('the streams that gossipsub really uses', () => {
  test('a peer on its list: gossipsub writes to the open stream, and reads the last one it got', () => {
    const { gossip, guard, open } = createGuard()
    const { rawStream } = open('go')
    assert.deepEqual([guard.writesTo('go'), guard.readsFrom('go')], [true, false])
    const inbound = stream({})
    gossip.streamsInbound.set('go', { rawStream: inbound })
    assert.ok(guard.readsFrom('go'))
    Object.assign(inbound, { remoteWriteStatus: 'closed' })
    assert.ok(!guard.readsFrom('go'))
    Object.assign(rawStream, { writeStatus: 'closing' })
    assert.ok(!guard.writesTo('go'))
  })

  test('an inbound stream that fails: gossipsub removes the peer, unless another stream has replaced it', async () => {
    const { gossip, open } = createGuard()
    open('rust')
    const peer = 'rust' as unknown as PeerId
    const read = (rawStream: Stream) => {
      const { promise, reject } = Promise.withResolvers<never>()
      async function* source() {
        yield await promise
      }
      gossip.streamsInbound.set('rust', { rawStream })
      const ended = (gossip as unknown as GossipInternals).pipePeerReadStream(peer, source())
      return () => {
        reject(new Error('the connection timed out'))
        return ended
      }
    }
    const [failFirst, failSecond] = [read(stream({})), read(stream({}))]
    await failFirst()
    assert.ok(gossip.peers.has('rust'))
    await failSecond()
    assert.ok(!gossip.peers.has('rust'))
  })

  const openOn = (gossip: object, peer: string, id: string) =>
    (gossip as GossipInternals).createOutboundStream(peer as unknown as PeerId, { id } as Connection)

  test('a stream that never opens: gossipsub goes on to the next after 250 ms, and it is slow after 3 s', async () => {
    const creates: string[] = []
    const neverOpen = (peer: PeerId) => {
      creates.push(String(peer))
      return new Promise<void>(() => {})
    }
    const { clock, gossip, guard, slow } = createGuard({ createOutboundStream: neverOpen })
    assert.ok(!guard.isOpening('go'))
    gossip.outboundInflightQueue.readableLength = 1
    assert.ok(guard.isOpening('go'), 'some stream waits for its turn')
    gossip.outboundInflightQueue.readableLength = 0
    const first = openOn(gossip, 'go', 'c1')
    const second = openOn(gossip, 'go', 'c1')
    await second
    assert.deepEqual(creates, ['go'], 'one at a time per connection')
    assert.deepEqual([guard.isOpening('go'), guard.isOpening('js')], [true, false])
    clock.advance(250)
    await first
    assert.ok(guard.isOpening('go'))
    clock.advance(2_749)
    assert.deepEqual(slow, [])
    clock.advance(1)
    assert.deepEqual(slow, ['c1 3000'])
    void openOn(gossip, 'js', 'c2')
    assert.deepEqual(creates, ['go', 'js'])
  })

  test('a stream that opens in time or fails to: gossipsub goes on at once, and no timer is left', async () => {
    const failToOpen = async () => {
      throw new Error('the connection is gone')
    }
    for (const create of [async () => {}, failToOpen]) {
      const { clock, gossip, guard, slow } = createGuard({ createOutboundStream: create })
      const opened = openOn(gossip, 'go', 'c1')
      if (create === failToOpen) await assert.rejects(opened)
      else await opened
      assert.ok(!guard.isOpening('go'))
      clock.advance(10_000)
      assert.deepEqual([slow, clock.pending], [[], 0])
    }
  })

  test('an unread inbound stream is reset, a new one is not', () => {
    const { clock, gossip, guard } = createGuard()
    const reset: string[] = []
    const inbound = (name: string, ageMs: number) =>
      stream({
        direction: 'inbound',
        protocol: '/meshsub/1.2.0',
        timeline: { open: clock.wall() - ageMs },
        abort: () => reset.push(name),
      })
    const read = inbound('read', 60_000)
    gossip.streamsInbound.set('go', { rawStream: read })
    const streams = [read, inbound('unread', 60_000), inbound('fresh', 0)]
    const connection = { remotePeer: 'go', streams } as unknown as Connection
    guard.clearForHeal('missing', 'go' as unknown as PeerId, [connection])
    assert.deepEqual(reset, ['unread'])
  })
})
