import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import { limits } from '../../core/limits.ts'
import type { Owner } from '../../core/owner.ts'
import { forAll } from '../../testing/for-all.ts'
import { createHealthyGossip, type GossipOptions, haunt, peerIds, tablesOf } from '../../testing/gossip-fixture.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { createApp, startApp } from '../../testing/suite/mesh-app.ts'
import { peerTables } from './gossip-internals.ts'
import { findGhosts, gossipSizes, mostTopics, removePeers } from './gossip-tables.ts'

leakCheck()

/** Two sweeps: the first one sees a ghost, the second one removes it. */
const sweptMs = 6_000
const [ann, bob] = peerIds as [PeerId, PeerId]

let owner: Owner
afterEach(() => owner?.close())

function createGossip(options: GossipOptions = {}) {
  const created = createHealthyGossip(options)
  owner = created.owner
  return created
}

const nameOf = ({ span }: SpanEffect) => span

describe('peer ids without a connection in the tables of gossipsub', () => {
  test('one in every table: removed from all of them after the grace, with its streams, and a span', () => {
    const { clock, gossip, health, connected, spans } = createGossip()
    connected.add(bob)
    haunt(gossip, bob)
    const streams = haunt(gossip, ann)
    const every = tablesOf(gossip, ann)
    assert.equal(every.length, 22)
    clock.advance(sweptMs - 1)
    assert.deepEqual(tablesOf(gossip, ann), every)
    clock.advance(1)
    assert.deepEqual(tablesOf(gossip, ann), [])
    assert.deepEqual(
      streams.map(({ status }) => status),
      ['aborted', 'aborted'],
    )
    assert.equal(health.counts.swept, 1)
    const [swept, ...more] = spans
    assert.deepEqual(more, [])
    assert.equal(swept?.span, 'mesh.gossip.swept')
    assert.deepEqual(swept?.attributes, {
      'mesh.gossip.swept': 1,
      'mesh.gossip.swept_peers': [ann.toString()],
      'mesh.gossip.ghosts': peerTables(gossip)
        .flat.concat(peerTables(gossip).nested as never)
        .map(([name]) => `${name} 1`),
      'mesh.gossip.grudges': 0,
      'mesh.gossip.remaining': 1,
    })
  })

  test('a connected peer in every table: stays, and no span', () => {
    const { clock, gossip, connected, spans } = createGossip()
    connected.add(bob)
    haunt(gossip, bob)
    clock.advance(60_000)
    assert.equal(tablesOf(gossip, bob).length, 22)
    assert.deepEqual(spans, [])
  })

  test('a peer that has a connection again within the grace: stays', () => {
    const { clock, gossip, connected } = createGossip()
    haunt(gossip, ann)
    clock.advance(3_000)
    connected.add(ann)
    clock.advance(3_000)
    connected.delete(ann)
    clock.advance(3_000)
    assert.equal(tablesOf(gossip, ann).length, 22)
    clock.advance(3_000)
    assert.deepEqual(tablesOf(gossip, ann), [])
  })

  test('a clean leaver: gossipsub retains its score, and the sweep removes it without a span', () => {
    const { clock, gossip, health, join, leave, spans } = createGossip()
    join(ann)
    leave(ann)
    assert.deepEqual(tablesOf(gossip, ann), ['peerIPs', 'scoreCache', 'scores'])
    clock.advance(sweptMs)
    assert.deepEqual(tablesOf(gossip, ann), [])
    assert.equal(health.counts.swept, 1)
    assert.deepEqual(spans, [])
  })

  test('our own mesh and fanout: an empty topic stays joined', () => {
    const { clock, gossip } = createGossip()
    gossip.mesh.set('news', new Set([ann.toString()]))
    clock.advance(sweptMs)
    assert.deepEqual(gossip.mesh, new Map([['news', new Set()]]))
  })

  test('a stream to a connected peer that gossipsub does not list: ended, so that a heal can open another', () => {
    const { clock, gossip, connected, join } = createGossip()
    join(ann)
    haunt(gossip, ann)
    gossip.peers.delete(ann.toString())
    connected.add(ann)
    clock.advance(sweptMs)
    assert.deepEqual([gossip.streamsInbound.size, gossip.streamsOutbound.size], [0, 0])
    assert.ok(gossip.topics.size > 0)
  })

  test('a sweep that fails: reported, and the next one runs', () => {
    const { clock, gossip, errors } = createGossip()
    gossip.mesh.set('news', undefined as never)
    clock.advance(sweptMs)
    assert.equal(errors.length, 2)
    gossip.mesh.set('news', new Set([ann.toString()]))
    clock.advance(sweptMs)
    assert.equal(errors.length, 2)
    assert.deepEqual(tablesOf(gossip, ann), [])
  })

  test('a closed owner: gossipsub has its own methods again', async () => {
    const { gossip } = createGossip()
    assert.ok(Object.hasOwn(gossip, 'handlePrune'))
    await owner.close()
    for (const name of ['handleReceivedRpc', 'handlePrune', 'handleReceivedSubscription'])
      assert.ok(!Object.hasOwn(gossip, name), name)
    assert.ok(!Object.hasOwn(gossip.score, 'addPeer'))
  })
})

test('leavers, and many topics of other peers: a sweep costs the entries, not topics times leavers', () => {
  const { gossip } = createGossip()
  let steps = 0
  class CountedMap extends Map<string, number> {
    override delete(key: string): boolean {
      steps++
      return super.delete(key)
    }
    override has(key: string): boolean {
      steps++
      return super.has(key)
    }
    override *keys(): MapIterator<string> {
      for (const key of super.keys()) {
        steps++
        yield key
      }
    }
  }
  const leavers = new Set(Array.from({ length: 200 }, (_, index) => `leaver ${index}`))
  const topicCount = 1_000
  for (let index = 0; index < topicCount; index++) gossip.topics.set(`topic ${index}`, new CountedMap([['other', 1]]))
  gossip.topics.set('crowd', new CountedMap(Array.from([...leavers, 'other'], (id) => [id, 1])))
  gossip.topics.set('gone', new CountedMap([['leaver 0', 1]]))
  assert.equal(removePeers(gossip, leavers).get('topics'), leavers.size + 1)
  assert.deepEqual([gossip.topics.size, gossip.topics.get('crowd')?.size], [topicCount + 1, 1])
  assert.ok(steps <= 2 * (topicCount + leavers.size), `${steps} steps`)
})

describe('RPCs of a peer that has left', () => {
  const rpc = {
    subscriptions: [{ topic: 'news', subscribe: true }],
    control: { ihave: [], iwant: [], prune: [], idontwant: [], graft: [{ topicID: 'news' }] },
  }
  const receiveLate = async (options: object, isConnected: boolean) => {
    const { gossip, health, connected, join, leave, send } = createGossip(options)
    gossip.mesh.set('news', new Set<string>())
    join(ann)
    leave(ann)
    if (isConnected) connected.add(ann)
    await send(ann, rpc)
    return { tables: tablesOf(gossip, ann), late: health.counts.lateRpcs }
  }

  test('GRAFT and SUBSCRIBE: ignored and counted', async () => {
    const { tables, late } = await receiveLate({}, false)
    assert.deepEqual([tables, late], [['peerIPs', 'scoreCache', 'scores'], 1])
  })

  test('without our guard gossipsub puts it into its mesh', async () => {
    const { tables } = await receiveLate({ hasHealth: false }, false)
    assert.ok(tables.includes('mesh') && tables.includes('topics'))
  })

  test('a peer with a connection that gossipsub does not list yet: its RPCs count', async () => {
    const { tables, late } = await receiveLate({}, true)
    assert.ok(tables.includes('topics'))
    assert.equal(late, 0)
  })
})

describe('a peer that comes back', () => {
  const penalise = ({ gossip }: ReturnType<typeof createGossip>) => {
    const stats = gossip.score.peerStats.get(ann.toString())
    assert.ok(stats)
    stats.behaviourPenalty = 12
  }
  const scoreOf = ({ gossip }: ReturnType<typeof createGossip>) => {
    gossip.score.scoreCache.delete(ann.toString())
    return gossip.getScore(ann.toString())
  }

  for (const [title, awayMs] of [
    ['at once', 0],
    ['after the sweep', sweptMs],
  ] as const) {
    test(`with penalties, ${title}: has the score that it left with`, () => {
      const setup = createGossip()
      const { clock, gossip, health, join, leave } = setup
      join(ann)
      penalise(setup)
      const before = scoreOf(setup)
      assert.ok(before < 0)
      leave(ann)
      clock.advance(awayMs)
      if (awayMs > 0) assert.deepEqual([tablesOf(gossip, ann), health.grudges], [[], 1])
      join(ann)
      assert.equal(scoreOf(setup), before)
      assert.equal(health.grudges, 0)
    })
  }

  test('with penalties, without our guard: gossipsub has pardoned it', () => {
    const setup = createGossip({ hasHealth: false })
    setup.join(ann)
    penalise(setup)
    setup.leave(ann)
    setup.join(ann)
    assert.equal(scoreOf(setup), 0)
  })

  test('with invalid messages in a scored topic: has them again, in that topic alone', () => {
    const setup = createGossip({ topics: { news: { topicWeight: 1, invalidMessageDeliveriesWeight: -1 } } })
    const { clock, gossip, join, leave } = setup
    const invalid = () => gossip.score.peerStats.get(ann.toString())?.topics['news']?.invalidMessageDeliveries
    const { score } = gossip as unknown as { score: { rejectInvalidMessage(peer: string, topic: string): void } }
    join(ann)
    score.rejectInvalidMessage(ann.toString(), 'news')
    score.rejectInvalidMessage(ann.toString(), 'other')
    leave(ann)
    clock.advance(sweptMs)
    join(ann)
    assert.equal(invalid(), 1)
    assert.deepEqual(Object.keys(gossip.score.peerStats.get(ann.toString())?.topics ?? {}), ['news'])
    leave(ann)
  })

  test('within an hour: has its penalties, after it none, however long gossipsub retains scores', () => {
    for (const [awayMs, isPenalised] of [
      [limits.grudgeMs, true],
      [sweptMs + limits.grudgeMs, false],
    ] as const) {
      const setup = createGossip()
      const { clock, health, join, leave } = setup
      join(ann)
      penalise(setup)
      leave(ann)
      clock.advance(awayMs)
      assert.equal(health.grudges, isPenalised ? 1 : 0)
      join(ann)
      assert.equal(scoreOf(setup) < 0, isPenalised)
    }
  })

  test('after a sweep found it again with a backoff only: still has its penalties', () => {
    const setup = createGossip()
    const { clock, gossip, join, leave } = setup
    join(ann)
    penalise(setup)
    leave(ann)
    clock.advance(sweptMs)
    gossip.doAddBackoff(ann.toString(), 'news', 60_000)
    clock.advance(sweptMs)
    assert.deepEqual(tablesOf(gossip, ann), [])
    join(ann)
    assert.ok(scoreOf(setup) < 0)
  })

  test('during a backoff: is not grafted before its end', async () => {
    const { clock, gossip, join, leave } = createGossip()
    gossip.mesh.set('news', new Set<string>())
    join(ann)
    gossip.doAddBackoff(ann.toString(), 'news', 60_000)
    const until = gossip.backoff.get('news')?.get(ann.toString()) ?? 0
    leave(ann)
    clock.advance(sweptMs)
    assert.deepEqual(gossip.backoff, new Map())
    join(ann)
    const restored = gossip.backoff.get('news')?.get(ann.toString()) ?? 0
    assert.ok(Math.abs(restored - until) < 1, `${restored} ${until}`)
    await gossip.handleGraft(ann.toString(), [{ topicID: 'news' }])
    assert.deepEqual(gossip.mesh.get('news'), new Set())
  })

  test('with another address: counts at the new one only', () => {
    const { gossip, join, leave } = createGossip()
    join(ann)
    leave(ann)
    gossip.addPeer(ann, 'inbound', multiaddr('/ip4/10.0.0.2/tcp/1'))
    assert.deepEqual([...gossip.score.peerIPs.keys()], ['10.0.0.2'])
  })

  test('more leavers with penalties than the list holds: the oldest is forgotten, and a span says so', () => {
    const { clock, gossip, health, spans } = createGossip()
    for (let index = 0; index <= limits.grudges; index++) {
      gossip.score.addPeer(`peer ${index}`)
      const stats = gossip.score.peerStats.get(`peer ${index}`)
      if (stats) stats.behaviourPenalty = 20
    }
    clock.advance(sweptMs)
    assert.equal(health.grudges, limits.grudges)
    assert.deepEqual(spans.map(nameOf), ['mesh.limit.reached'])
    assert.equal(health.counts.swept, limits.grudges + 1)
  })
})

describe('what a peer may ask for', () => {
  const pruned = async (options: object, prune: readonly { topicID: string; backoff?: number }[]) => {
    const { gossip, join, spans } = createGossip(options)
    join(ann)
    gossip.mesh.set('news', new Set([ann.toString()]))
    const now = Date.now()
    await gossip.handlePrune(ann.toString(), prune)
    await Promise.resolve()
    const backoffMs = (gossip.backoff.get('news')?.get(ann.toString()) ?? now) - now
    return { inMesh: gossip.mesh.get('news')?.has(ann.toString()), backoffMs, spans }
  }

  test('PRUNE of a topic that this node has left, before one of its own: both are obeyed', async () => {
    const prunes = [{ topicID: 'left' }, { topicID: 'news', backoff: 60 }]
    assert.equal((await pruned({}, prunes)).inMesh, false)
    assert.equal((await pruned({ hasHealth: false }, prunes)).inMesh, true, 'gossipsub no longer needs our part')
  })

  test('PRUNE with a backoff of years: an hour, and a span', async () => {
    const { backoffMs, spans, inMesh } = await pruned({}, [{ topicID: 'news', backoff: 1e9 }])
    assert.ok(backoffMs > 3_590_000 && backoffMs < 3_610_000, String(backoffMs))
    assert.equal(inMesh, false)
    assert.deepEqual(
      spans.map(({ attributes }) => attributes['mesh.limit.name' as never]),
      ['pruneBackoff'],
    )
  })

  test('SUBSCRIBE to all topics that a bridge may have, with the longest names: all count', async () => {
    const { gossip, join, subscribe, spans } = createGossip()
    join(ann)
    const longest = `${'m'.repeat(limits.nameLength)}/${'t'.repeat(124)}`
    const names = Array.from(
      { length: 2 * limits.topics + 4 },
      (_, index) => `${longest}${String(index).padStart(4, '0')}`,
    )
    await subscribe(ann, ...names)
    assert.equal(gossip.topics.size, names.length)
    assert.deepEqual(spans, [])
  })

  test('SUBSCRIBE to thousands of topics: some hundred count, a span names the peer, others are not affected', async () => {
    const { gossip, join, subscribe, spans } = createGossip()
    join(ann)
    join(bob)
    await subscribe(ann, ...Array.from({ length: 5_000 }, (_, index) => `topic ${index}`))
    await subscribe(bob, 'news')
    const most = mostTopics(gossip)
    assert.equal(most?.peer, ann.toString())
    assert.ok(most.topics > limits.topics && most.topics <= limits.peerTopicBytes / 1_024, String(most.topics))
    assert.ok(gossip.topics.get('news')?.has(bob.toString()))
    assert.deepEqual(
      spans.map(({ attributes }) => [attributes['mesh.limit.name' as never], attributes['mesh.peer.id' as never]]),
      [['peerTopicBytes', ann.toString()]],
    )
  })
})

test('the option gossipSweep: without it gossipsub of the application stays as it is', async () => {
  for (const gossipSweep of [true, false]) {
    await using app = await startApp({ gossipSweep })
    assert.equal(Object.hasOwn(app.pubsub, 'handlePrune'), gossipSweep)
  }
})

for (const [situation, change, setting] of [
  ['a table that the mesh does not know', { graylist: new Map() }, 'pubsub tables not swept: graylist'],
  ['a part of another shape', { idontwantCounts: { clear: () => {} } }, 'pubsub without idontwantCounts'],
] as const) {
  test(`gossipsub with ${situation}: the span of the start names it`, async () => {
    await using app = await createApp()
    Object.assign(app.pubsub, change)
    await app.libp2p.start()
    const [started] = app.spansNamed('mesh.node.started')
    assert.ok(started?.attributes['mesh.node.settings'].includes(setting))
  })
}

test('gossipsub as installed: the span of the start has no word of it', async () => {
  await using app = await startApp()
  const [started] = app.spansNamed('mesh.node.started')
  assert.ok(!started?.attributes['mesh.node.settings'].some((setting) => setting.startsWith('pubsub')))
})

test('sizes of the tables: one number for each', () => {
  const { gossip } = createGossip()
  haunt(gossip, ann)
  const { seen, cached, cachedBytes, deliveries, subscriptions, ...others } = gossipSizes(gossip)
  assert.deepEqual([seen, cached, cachedBytes, deliveries, subscriptions], [0, 0, 0, 0, 0])
  for (const [name, size] of Object.entries(others)) assert.equal(size, 1, name)
})

test('any order of joins, leaves and late entries: after two sweeps the tables list connected peers only', async (t) => {
  const peers = fc.constantFrom(...peerIds)
  const steps = fc.record({
    peer: peers,
    what: fc.constantFrom('join', 'leave', 'haunt', 'backoff'),
    ms: fc.nat(4_000),
  })
  await forAll({ t, numRuns: 50 }, [fc.array(steps, { maxLength: 30 })], async (list) => {
    const { clock, gossip, connected, join, leave } = createGossip()
    for (const { peer, what, ms } of list) {
      if (what === 'join') join(peer)
      else if (what === 'leave') leave(peer)
      else if (what === 'haunt') haunt(gossip, peer)
      else gossip.doAddBackoff(peer.toString(), 'news', 600_000)
      clock.advance(ms)
    }
    clock.advance(sweptMs)
    assert.deepEqual(findGhosts(gossip, new Set(Array.from(connected, String))), new Set())
    for (const peer of connected) assert.ok(gossip.score.peerStats.has(peer.toString()))
    await owner.close()
  })
})
