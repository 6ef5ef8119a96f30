import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { type NoiseComponents, noise } from '@libp2p/noise'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { leakCheck } from '../testing/leak-check.ts'
import { fastMessageId, gossipSettings, messageId } from './gossip/gossip-settings.ts'
import { libp2pSettings } from './libp2p-settings.ts'
import { isOlder, lazyNoise, nativeQuic } from './transports.ts'

leakCheck()

describe('gossipsub', () => {
  test('the message id is sender and sequence number, as in the specification', async () => {
    const key = await generateKeyPair('Ed25519')
    const from = peerIdFromPrivateKey(key)
    const message = { type: 'signed', from, topic: 't', data: new Uint8Array(3), sequenceNumber: 258n } as const
    const id = messageId({ ...message, signature: new Uint8Array(64), key: key.publicKey })
    const sender = from.toMultihash().bytes
    assert.deepEqual(id, Uint8Array.from([...sender, 0, 0, 0, 0, 0, 0, 1, 2]))
    const seqno = Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 2)
    assert.equal(fastMessageId({ from: sender, seqno, topic: 't' }), Buffer.from(id).toString('latin1'))
    const later = fastMessageId({ from: sender, seqno: seqno.toReversed(), topic: 't' })
    assert.notEqual(later, Buffer.from(id).toString('latin1'))
  })

  test('nodes behind one NAT share an address without a score penalty', () => {
    assert.equal(gossipSettings().scoreParams?.IPColocationFactorWeight, 0)
  })

  test('an application may override the options', () => {
    assert.equal(gossipSettings({ D: 6, Dhi: 12 }).Dhi, 12)
    assert.equal(gossipSettings({ D: 6 }).Dlo, 3)
  })
})

test('libp2p has no logger and no connection monitor, and accepts a cluster that boots at once', async () => {
  const privateKey = await generateKeyPair('Ed25519')
  const settings = libp2pSettings({ privateKey, listen: ['/ip4/127.0.0.1/tcp/0'] })
  assert.equal(settings.connectionMonitor?.enabled, false)
  assert.ok((settings.connectionManager?.inboundConnectionThreshold ?? 0) >= 100)
  assert.equal(settings.logger?.forComponent('x').enabled, false)
  assert.equal(settings.transports?.length, 2)
  assert.equal('logger' in libp2pSettings({ privateKey, listen: [], debug: true }), false)
})

describe('the native QUIC library', () => {
  test('the installed version is new enough', () => {
    const { version, warning } = nativeQuic()
    assert.ok(version === undefined || !isOlder(version, '2.1.4'), version)
    assert.equal(warning, undefined)
  })

  test('an old version: the warning contains the override', () => {
    const { version, warning } = nativeQuic(() => '2.1.1')
    if (version === undefined) return
    assert.match(warning ?? '', /"overrides": \{ "@chainsafe\/libp2p-quic-[a-z0-9-]+": "2\.1\.4" \}.*loaded is 2\.1\.1/)
  })

  test('versions compare by number', () => {
    const versions = ['2.1.3', '2.1.4', '2.1.10', '2.2.0', '1.9.9', '3.0.0']
    const older = versions.filter((version) => isOlder(version, '2.1.4'))
    assert.deepEqual(older, ['2.1.3', '1.9.9'])
  })
})

function start(encrypter: ReturnType<typeof lazyNoise> | ReturnType<typeof noise>) {
  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [encrypter],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  })
}

test('a failed load of noise is retried by the next connection', async () => {
  let loads = 0
  const load = async () => {
    loads++
    throw new Error('EMFILE: too many open files')
  }
  const encrypter = lazyNoise(load)({} as NoiseComponents)
  for (const expected of [1, 2]) {
    await assert.rejects(encrypter.secureOutbound({} as never), /EMFILE/)
    assert.equal(loads, expected)
  }
})

test('lazy and plain noise interoperate in both directions', async () => {
  const nodes = await Promise.all([start(lazyNoise()), start(lazyNoise()), start(noise())])
  try {
    for (const dialler of nodes) {
      for (const listener of nodes) {
        if (listener === dialler) continue
        const connection = await dialler.dial(listener.getMultiaddrs(), { signal: AbortSignal.timeout(5_000) })
        assert.equal(connection.encryption, '/noise')
        assert.equal(connection.remotePeer.toString(), listener.peerId.toString())
        await connection.close()
      }
    }
  } finally {
    await Promise.all(nodes.map((node) => node.stop()))
  }
})
