import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identify } from '@libp2p/identify'
import { type NoiseComponents, noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { leakCheck } from '../testing/leak-check.ts'
import { lazyNoise } from './lazy-noise.ts'

leakCheck()

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
