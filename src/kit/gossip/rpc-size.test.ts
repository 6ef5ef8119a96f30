import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RPC } from '@chainsafe/libp2p-gossipsub/message'
import fc from 'fast-check'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { isOneMessage, type RpcPart, rpcLimit, smallestLimit, splitRpc } from './rpc-size.ts'

leakCheck()

const bytes = (maxLength: number) => fc.uint8Array({ minLength: 1, maxLength })
const ids = fc.array(bytes(60), { minLength: 1, maxLength: 600 })
const topic = fc.string({ maxLength: 20 })
const rpcs = fc.record({
  subscriptions: fc.array(fc.record({ subscribe: fc.boolean(), topic })),
  messages: fc.array(fc.record({ topic, data: bytes(4_000) })),
  control: fc.record({
    graft: fc.array(fc.record({ topicID: topic })),
    prune: fc.array(fc.record({ topicID: topic, peers: fc.constant<RPC.PeerInfo[]>([]), backoff: fc.nat(60) })),
    ihave: fc.array(fc.record({ topicID: topic, messageIDs: ids }), { maxLength: 3 }),
    iwant: fc.array(fc.record({ messageIDs: ids }), { maxLength: 2 }),
    idontwant: fc.array(fc.record({ messageIDs: ids }), { maxLength: 2 }),
  }),
})

/** The content of some RPCs, in order, independent of how they are split. */
function contentOf(parts: readonly Pick<RpcPart, 'bytes'>[]) {
  const decoded = parts.map((part) => RPC.decode(part.bytes))
  const controls = decoded.flatMap(({ control }) => control ?? [])
  const idsOf = (list: readonly { readonly messageIDs: readonly Uint8Array[] }[]) =>
    list.flatMap(({ messageIDs }) => messageIDs.map((id) => Buffer.from(id).toString('hex')))
  return {
    subscriptions: decoded.flatMap(({ subscriptions }) => subscriptions.map((one) => `${one.topic} ${one.subscribe}`)),
    messages: decoded.flatMap(({ messages }) => messages.map(({ topic, data }) => `${topic} ${data?.length}`)),
    graft: controls.flatMap(({ graft }) => graft.map(({ topicID }) => topicID)),
    prune: controls.flatMap(({ prune }) => prune.map(({ topicID, backoff }) => `${topicID} ${backoff}`)),
    ihave: controls.flatMap(({ ihave }) => ihave.flatMap((one) => idsOf([one]).map((id) => `${one.topicID} ${id}`))),
    iwant: controls.flatMap(({ iwant }) => idsOf(iwant)),
    idontwant: controls.flatMap(({ idontwant }) => idsOf(idontwant)),
  }
}

test('the parts of an RPC have its content, and none exceeds the limit', (t) =>
  forAll({ t, numRuns: 60 }, [rpcs, fc.integer({ min: 17_000, max: 40_000 })], (rpc, limit) => {
    const encoded = RPC.encode(rpc)
    const { parts, oversized } = splitRpc(encoded, { limit: 100_000, partBytes: limit })
    assert.deepEqual(oversized, [])
    assert.ok(parts.every((part) => part.bytes.length <= limit))
    assert.deepEqual(contentOf(parts), contentOf([{ bytes: encoded }]))
  }))

test('a message above the limit: left out and named; the others stay', () => {
  const message = (size: number) => ({ topic: 'news', data: new Uint8Array(size) })
  const encoded = RPC.encode({ subscriptions: [], messages: [message(10), message(70_000), message(20)] })
  const { parts, oversized } = splitRpc(encoded, { limit: 65_536, partBytes: 65_536 })
  assert.deepEqual(contentOf(parts).messages, ['news 10', 'news 20'])
  const named = oversized.map(({ topic, bytes }) => [topic, bytes > 70_000 && bytes < 70_100])
  assert.deepEqual(named, [['news', true]])
})

test('messages share parts up to `partBytes`; a larger one goes alone', () => {
  const messages = [60_000, 30_000, 30_000, 500_000, 10].map((size) => ({ topic: 'news', data: new Uint8Array(size) }))
  const { parts } = splitRpc(RPC.encode({ subscriptions: [], messages }), { limit: 1_048_576, partBytes: 65_536 })
  const sizes = parts.map(({ bytes }) => RPC.decode(bytes).messages.map(({ data }) => data?.length))
  assert.deepEqual(sizes, [[60_000], [30_000, 30_000], [500_000], [10]])
})

test('isOneMessage recognizes an RPC of one message without decoding it', (t) =>
  forAll({ t, numRuns: 100 }, [rpcs], (rpc) => {
    const decoded = RPC.decode(RPC.encode(rpc))
    const control = Object.values(decoded.control ?? {}).some((list) => list.length > 0)
    const one = decoded.messages.length === 1 && decoded.subscriptions.length === 0
    const { control: _, ...plain } = rpc
    const encoded = RPC.encode(control ? rpc : plain)
    assert.equal(isOneMessage(encoded), one && !control)
    for (const message of rpc.messages) assert.ok(isOneMessage(RPC.encode({ messages: [message] })))
  }))

for (const [agent, limit] of [
  ['rust-libp2p/0.47.0', 65_536],
  ['github.com/libp2p/go-libp2p@v0.51.0', 1_048_576],
  ['js-libp2p/3.3.11 UserAgent=node', 4_194_304],
  ['tracemesh/0.1.0', 4_194_304],
  ['tracemesh.example/go-app', 1_048_576],
  ['kubo/0.30.0/', 1_048_576],
  [undefined, 1_048_576],
] as const) {
  test(`agent version ${agent}: an RPC limit of ${limit} bytes`, () => assert.equal(rpcLimit(agent), limit))
}

test('overrides win over the defaults, in their order', () => {
  const overrides = [
    { agent: 'kubo', bytes: 2_000_000 },
    { agent: 'JS-libp2p', bytes: 100_000 },
    { agent: 'js', bytes: 50_000 },
  ]
  assert.equal(rpcLimit('kubo/0.30.0/', overrides), 2_000_000)
  assert.equal(rpcLimit('js-libp2p/3.3.11', overrides), 100_000)
  assert.equal(rpcLimit('rust-libp2p/0.47.0', overrides), 65_536)
  assert.equal(smallestLimit(overrides), 50_000)
  assert.equal(smallestLimit(), 65_536)
})
