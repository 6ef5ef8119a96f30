import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { leakCheck } from '../testing/leak-check.ts'
import { servesApplication } from './application-streams.ts'
import { linkProtocol } from './link-streams.ts'

leakCheck()

const servesWith = (...protocols: string[]) =>
  servesApplication({ streams: protocols.map((protocol) => ({ protocol })) } as unknown as Connection)

test('a connection with a stream of an application protocol serves the application', () => {
  assert.ok(servesWith(linkProtocol, '/ipfs/bitswap/1.2.0'))
  assert.ok(servesWith('/orbitdb/heads/zdpu'))
})

test('streams of the mesh, identify, ping, gossipsub, and a negotiating one do not serve the application', () => {
  const infrastructure = [
    linkProtocol,
    '/tracemesh/request/1.0.0',
    '/ipfs/id/1.0.0',
    '/ipfs/id/push/1.0.0',
    '/ipfs/ping/1.0.0',
  ]
  assert.equal(servesWith(...infrastructure, '/meshsub/1.2.0', '/floodsub/1.0.0', '/libp2p/autonat/1.0.0', ''), false)
})
