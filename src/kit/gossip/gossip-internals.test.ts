import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type GossipSubComponents, gossipsub } from '@chainsafe/libp2p-gossipsub'
import { leakCheck } from '../../testing/leak-check.ts'
import { silentLibp2p } from '../libp2p-logger.ts'
import { type GossipInternals, gossipInternals, missingInternals, unknownTables } from './gossip-internals.ts'

leakCheck()

const install = () => gossipsub()({ logger: silentLibp2p } as GossipSubComponents)

test('the installed gossipsub has every private member that the mesh uses, and no table that the mesh does not know', () => {
  const installed = install()
  assert.deepEqual(missingInternals(installed), [])
  const internals = gossipInternals(installed)
  assert.equal(internals, installed as object)
  assert.deepEqual(unknownTables(internals as GossipInternals), [])
})

test('a pubsub of another shape: no internals, and the missing members are named', () => {
  const other = { peers: new Map(), streamsOutbound: new Map(), streamsInbound: [], removePeer: () => {}, outbound: [] }
  assert.equal(gossipInternals(other), undefined)
  const missing = missingInternals(other)
  for (const name of ['streamsInbound', 'mcache', 'createOutboundStream', 'score', 'handlePrune', 'outbound'])
    assert.ok(missing.includes(name), name)
  for (const name of ['peers', 'removePeer', 'fastMsgIdCache', 'maxTopicBytesPerPeer', 'iwantCounts'])
    assert.ok(!missing.includes(name), name)
})

test('a version with another type of one part: that part is named', () => {
  const changes: Readonly<Record<string, object>> = {
    peers: { peers: new Set() },
    idontwants: { idontwants: {} },
    score: { score: { ...(install() as unknown as GossipInternals).score, peerStats: {} } },
    handlePrune: { handlePrune: undefined },
  }
  for (const [name, change] of Object.entries(changes))
    assert.deepEqual(missingInternals(Object.assign(install(), change)), [name])
})

test('a version with new tables, in gossipsub or in a part of it: they are named', () => {
  const installed = Object.assign(install(), { graylist: new Map() }) as unknown as GossipInternals
  Object.assign(installed.score, { bans: new Set() })
  assert.deepEqual(unknownTables(installed), ['graylist', 'bans'])
})
