import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type GossipSubComponents, gossipsub } from '@chainsafe/libp2p-gossipsub'
import { leakCheck } from '../testing/leak-check.ts'
import { gossipInternals, missingInternals } from './gossip-internals.ts'
import { silentLibp2p } from './silent-libp2p.ts'

leakCheck()

test('the installed gossipsub has every private member that the mesh uses', () => {
  const installed = gossipsub()({ logger: silentLibp2p } as GossipSubComponents)
  assert.deepEqual(missingInternals(installed), [])
  assert.equal(gossipInternals(installed), installed)
})

test('a pubsub of another shape: no internals, and the missing members are named', () => {
  const other = { peers: new Map(), streamsOutbound: new Map(), streamsInbound: [], removePeer: () => {} }
  assert.equal(gossipInternals(other), undefined)
  assert.deepEqual(missingInternals(other), [
    'streamsInbound',
    'outboundInflightQueue',
    'mcache',
    'createOutboundStream',
    'pushGossip',
  ])
})
