import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { leakCheck } from '../testing/leak-check.ts'
import { servesApplication } from './application-streams.ts'
import { linkProtocol } from './link-streams.ts'

leakCheck()

const carrying = (...protocols: string[]) =>
  servesApplication({ streams: protocols.map((protocol) => ({ protocol })) } as unknown as Connection)

test('a connection serves the application while it carries a stream of a protocol of its own', () => {
  assert.ok(carrying(linkProtocol, '/ipfs/bitswap/1.2.0'))
  assert.ok(carrying('/orbitdb/heads/zdpu'))
})

test('streams of the mesh, of identify and ping, of gossipsub, and one being negotiated are no use of it', () => {
  const upkeep = [linkProtocol, '/tracemesh/request/1.0.0', '/ipfs/id/1.0.0', '/ipfs/id/push/1.0.0', '/ipfs/ping/1.0.0']
  assert.equal(carrying(...upkeep, '/meshsub/1.2.0', '/floodsub/1.0.0', '/libp2p/autonat/1.0.0', ''), false)
})
