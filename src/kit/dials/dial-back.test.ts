import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { collectNative, deadAddressOf, listenOn, realNode } from '../../testing/suite/real-world.ts'
import { dialBack } from './dial-back.ts'

collectNative()
leakCheck()

const nonce = '5a'.repeat(16)

suite('a dial-back', () => {
  for (const transport of ['quic', 'tcp'] as const) {
    test(`over ${transport}: it reaches the peer, and appears in no snapshot of either end`, async () => {
      await using requester = await realNode([listenOn[transport]])
      await using other = await realNode([listenOn[transport]])
      await requester.network.start(() => {})
      const request = { nonce, transport, port: 1 }
      requester.network.perform({ do: 'send', connection: 'none', frame: { type: 'dialback.request', request } })
      const connections: { peer: string; inSnapshot: number }[] = []
      requester.libp2p.addEventListener('connection:open', ({ detail }) => {
        connections.push({ peer: detail.remotePeer.toString(), inSnapshot: requester.network.snapshot().length })
      })
      const target = {
        nonce,
        peer: requester.network.self,
        address: requester.address,
        limitMs: 5_000,
        owner: other.owner,
      }
      assert.equal(await dialBack(target), '')
      const visible = connections.filter(({ inSnapshot, peer }) => inSnapshot > 0 || peer === other.network.self)
      assert.deepEqual(visible, [])
      assert.deepEqual(other.libp2p.getConnections(), [])
    })

    test(`over ${transport}: another peer or no listener at the address yields its error.type`, async () => {
      await using requester = await realNode([listenOn[transport]])
      await using other = await realNode([listenOn[transport]])
      const target = { nonce, peer: other.network.self, limitMs: 1_000, owner: other.owner }
      assert.equal(await dialBack({ ...target, address: requester.address }), 'UnexpectedPeer')
      const dead = await dialBack({ ...target, address: deadAddressOf[transport] })
      assert.equal(dead, transport === 'tcp' ? 'ECONNREFUSED' : 'TimeoutError')
    })
  }

  test('for a neighbour: the result for a closed port takes as long as for a silent one', async () => {
    await using node = await realNode([listenOn.tcp])
    const { promise: errorType, resolve } = Promise.withResolvers<string>()
    await node.network.start((event) => event.type === 'dialled.back' && resolve(event.errorType))
    const startedAt = performance.now()
    const limitMs = 500
    node.network.perform({ do: 'dial.back', nonce, peer: node.network.self, address: deadAddressOf.tcp, limitMs })
    assert.equal(await errorType, 'ECONNREFUSED')
    assert.ok(performance.now() - startedAt >= limitMs - 5)
  })
})
