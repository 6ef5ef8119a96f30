import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { listenOn, realNode } from '../../testing/suite/real-world.ts'
import { streamsOf } from './stream-views.ts'

leakCheck()

test('streams: have an owner by their protocol, and the oldest comes first', () => {
  const stream = (protocol: string, open: number) => ({
    id: protocol,
    protocol,
    direction: 'inbound',
    status: 'open',
    timeline: { open },
  })
  const connection = (id: string, streams: readonly object[]) => ({ id, remotePeer: { toString: () => 'b' }, streams })
  const connections = [
    connection('1', [stream('/tracemesh/link/1.0.0', 70), stream('/meshsub/1.2.0', 60), stream('', 100)]),
    connection('2', [stream('/ipfs/id/1.0.0', 90), stream('/chat/1.0.0', 10)]),
  ] as unknown as Connection[]
  assert.deepEqual(
    streamsOf(connections, 100).map(({ owner, protocol, ageMs, connection }) => [owner, protocol, ageMs, connection]),
    [
      ['application', '/chat/1.0.0', 90, '2'],
      ['gossipsub', '/meshsub/1.2.0', 40, '1'],
      ['tracemesh', '/tracemesh/link/1.0.0', 30, '1'],
      ['libp2p', '/ipfs/id/1.0.0', 10, '2'],
      ['libp2p', '', 0, '1'],
    ],
  )
})

test('a stream that the application leaves open: is listed until it ends', async () => {
  await using a = await realNode([listenOn.tcp])
  await using b = await realNode([listenOn.tcp])
  await b.libp2p.handle('/chat/1.0.0', () => {})
  const list = () => streamsOf(a.libp2p.getConnections(), Date.now()).filter(({ owner }) => owner === 'application')
  const stream = await a.libp2p.dialProtocol(multiaddr(b.address), '/chat/1.0.0')
  const [open] = list()
  assert.equal(list().length, 1)
  assert.deepEqual(
    [open?.protocol, open?.direction, open?.peer],
    ['/chat/1.0.0', 'outbound', b.libp2p.peerId.toString()],
  )
  assert.ok(open !== undefined && open.ageMs < 60_000)
  stream.abort(new Error('left'))
  await until(() => list().length === 0, 10_000, 'the stream is no longer listed')
})
