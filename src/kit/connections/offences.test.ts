import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { until } from '../../processes/waiting.ts'
import { helloOf, misbehavingPeer, rawFrame } from '../../testing/cluster/misbehaving-peer.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { startApp } from '../../testing/suite/mesh-app.ts'

leakCheck()

const limitMs = 10_000

test('a peer that sent a bad frame and comes back: its connection is refused with the reason', async () => {
  await using app = await startApp({ neighbours: 0, closes: 'all' }, { gossip: false })
  const refusals = () =>
    app.spansNamed('mesh.connection.opened').flatMap(({ attributes }) => attributes['mesh.refusal.reason'] ?? [])
  const peer = misbehavingPeer(String(app.libp2p.getMultiaddrs()[0]), limitMs)
  const privateKey = await generateKeyPair('Ed25519')
  const input = { chunks: [helloOf(), rawFrame(99, new Uint8Array(4))] }
  await peer.send(input, privateKey)
  await peer.send(input)
  assert.equal(app.spansNamed('mesh.frame.refused').length, 2)
  assert.deepEqual(refusals(), [])
  // The connection may end before its first stream opens.
  await peer.send({ chunks: [helloOf()] }, privateKey).catch(() => {})
  await until(() => refusals().length > 0, limitMs, 'the refusal')
  assert.deepEqual(refusals(), ['bad-frame'])
  assert.equal(app.spansNamed('mesh.frame.refused').length, 2)
})
