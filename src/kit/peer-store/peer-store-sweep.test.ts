import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PeerId } from '@libp2p/interface'
import { MeshError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { InvariantWatch } from '../../evidence/invariants.ts'
import { isRoutine } from '../../telemetry/sampling.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { FakePeerStore, newPeer, type SweepSetup } from '../../testing/suite/fake-peer-store.ts'
import { sweepIntervalMs } from './peer-store-sweep.ts'

leakCheck()

/** Runs a test on a fake peer store, and checks that its end leaves nothing behind. */
function testSweep(title: string, setup: SweepSetup, run: (store: FakePeerStore) => Promise<void>): void {
  test(title, async () => {
    const store = await FakePeerStore.start(setup)
    await run(store)
    await store.owner.close()
    assert.equal(store.clock.pending, 0)
  })
}

const unanswered = ({ owner }: FakePeerStore) =>
  owner.inventory().registries.find(({ name }) => name === 'unanswered')?.size

const countsOf = (store: FakePeerStore, index = 0) => {
  const attributes = store.spans[index]?.attributes
  return (
    attributes && [
      attributes['mesh.peerstore.before'],
      attributes['mesh.peerstore.removed'],
      attributes['mesh.peerstore.after'],
      attributes['mesh.peerstore.errors'],
    ]
  )
}

describe('a sweep of all records', () => {
  testSweep('an absent peer: its addresses are cleared, then its record is removed', {}, async (store) => {
    const [absent, connected] = [await store.add(), await store.add()]
    store.connect(connected)
    await store.advance(sweepIntervalMs - 1)
    assert.equal(store.spans.length, 0)
    await store.advance(1)
    assert.deepEqual(store.callsFor(absent), ['clear', 'delete'])
    assert.deepEqual(store.callsFor(connected), [])
    assert.deepEqual([store.has(absent), store.has(connected)], [false, true])
    assert.deepEqual(countsOf(store), [2, 1, 1, 0])
  })

  testSweep('nothing to remove: a routine span all the same', {}, async (store) => {
    const peer = await store.add()
    store.connect(peer)
    await store.advance(2 * sweepIntervalMs)
    assert.deepEqual(
      [countsOf(store, 0), countsOf(store, 1)],
      [
        [1, 0, 1, 0],
        [1, 0, 1, 0],
      ],
    )
    assert.ok(store.spans.every(isRoutine))
    await store.add()
    await store.advance(sweepIntervalMs)
    assert.equal(store.spans[2] && isRoutine(store.spans[2]), false)
  })

  testSweep('a peer that disconnected just before: only the next sweep removes it', {}, async (store) => {
    const peer = await store.add()
    store.connect(peer)
    await store.advance(sweepIntervalMs - 1_000)
    store.disconnect(peer)
    await store.advance(1_000)
    assert.ok(store.has(peer))
    await store.advance(sweepIntervalMs)
    assert.equal(store.has(peer), false)
  })

  testSweep('a record that is new or has just changed: kept for the grace period', {}, async (store) => {
    await store.advance(sweepIntervalMs - 30_000)
    const discovered = await store.add({ ageMs: 0 })
    await store.advance(30_000)
    assert.ok(store.has(discovered))
    await store.advance(sweepIntervalMs)
    assert.equal(store.has(discovered), false)
  })

  testSweep('a wall clock that was set back: the record goes all the same', {}, async (store) => {
    const peer = await store.add({ ageMs: -3_600_000 })
    await store.advance(sweepIntervalMs)
    assert.equal(store.has(peer), false)
  })

  testSweep('a record that the application tagged to keep its connection: kept', {}, async (store) => {
    const peer = await store.add({ tags: ['keep-alive-app'] })
    await store.advance(3 * sweepIntervalMs)
    assert.ok(store.has(peer))
  })

  testSweep('a tag that only ranks the peer, as gossipsub sets it: the record goes', {}, async (store) => {
    const peer = await store.add({ tags: ['news'] })
    await store.advance(sweepIntervalMs)
    assert.equal(store.has(peer), false)
  })

  testSweep('a peer in the table of a DHT that the mesh does not know: kept', {}, async (store) => {
    const peer = await store.add({ tags: ['kad-peer'] })
    await store.advance(3 * sweepIntervalMs)
    assert.ok(store.has(peer))
  })

  for (const call of ['clear', 'delete'])
    testSweep(`a peer that connects during the ${call}: it has its whole record`, {}, async (store) => {
      const peer = await store.add()
      const before = store.record(peer)
      store.beforeWrite = (now) => {
        if (now === call) store.connect(peer)
      }
      await store.advance(sweepIntervalMs)
      const { addresses, protocols } = store.record(peer) ?? {}
      assert.deepEqual([addresses, protocols], [before?.addresses, before?.protocols])
      assert.equal(store.callsFor(peer).includes('identify'), call === 'delete')
      assert.equal(countsOf(store)?.[1], 0)
    })

  testSweep('a record that cannot be removed: counted as an error, and the others go', {}, async (store) => {
    const [stuck, other] = [await store.add(), await store.add()]
    store.beforeWrite = (_, peer) => {
      if (peer.equals(stuck)) throw new Error('the disk is full')
    }
    await store.advance(sweepIntervalMs)
    assert.deepEqual([store.has(stuck), store.has(other)], [true, false])
    assert.deepEqual(countsOf(store), [2, 1, 1, 1])
    const [span] = store.spans
    assert.deepEqual([span?.failed, span?.attributes['mesh.error.message']], [true, 'the disk is full'])
  })

  testSweep('many records: the sweep lets other work pass, and removes all', {}, async (store) => {
    for (let i = 0; i < 200; i++) await store.add()
    store.clock.runUntil(sweepIntervalMs)
    for (let turn = 0; turn < 20_000; turn++) await Promise.resolve()
    assert.equal(store.spans.length, 0)
    assert.equal(store.calls.filter((call) => call.startsWith('delete')).length, 63)
    await store.advance(10)
    assert.deepEqual(countsOf(store), [200, 200, 0, 0])
  })

  testSweep('a sweep beyond its time limit: it ends, and the next one goes on', {}, async (store) => {
    for (let i = 0; i < 10; i++) await store.add()
    let writes = 0
    // The fifth removal takes longer than half the interval.
    store.beforeWrite = (call) => {
      if (call === 'delete' && ++writes === 5) store.clock.runUntil(store.clock.now() + sweepIntervalMs / 2)
    }
    await store.advance(1.5 * sweepIntervalMs + 10)
    assert.deepEqual(countsOf(store), [10, 5, 5, 0])
    assert.equal(store.spans[0]?.attributes['mesh.peerstore.judged'], 5)
    await store.advance(sweepIntervalMs)
    assert.deepEqual(countsOf(store, 1), [5, 5, 0, 0])
  })

  testSweep('a kept record in a slab of 64 KiB: copied into a buffer of its own, once', {}, async (store) => {
    const peer = await store.add()
    store.connect(peer)
    await store.advance(2 * sweepIntervalMs)
    const bytes = store.bytesOf(peer)
    assert.deepEqual([bytes?.length, bytes?.buffer.byteLength, bytes?.every((byte) => byte === 7)], [200, 200, true])
    assert.deepEqual(
      store.spans.map(({ attributes }) => attributes['mesh.peerstore.compacted']),
      [1, 0],
    )
  })

  test('a stop: no sweep, listener or span afterwards', async () => {
    const store = await FakePeerStore.start()
    await store.add()
    await store.owner.close()
    store.disconnect(await newPeer())
    await store.advance(3 * sweepIntervalMs)
    assert.deepEqual([store.spans.length, store.calls.length, store.clock.pending], [0, 0, 0])
  })
})

describe('records that no sweep removes', () => {
  /** What a census each 30 s suspects, of the last ten minutes. */
  async function suspected(store: FakePeerStore, ms = 600_000) {
    const watch = new InvariantWatch()
    const found: (readonly [expected: unknown, actual: unknown, owner: unknown, ids: unknown])[] = []
    for (let passed = 0; passed < ms; passed += 30_000) {
      await store.advance(30_000)
      const now = store.clock.now()
      for (const broken of watch.judge((await store.sweep.evidence(now)).invariants ?? [], now)) {
        assert.equal(broken.name, 'peer-store-swept')
        found.push([broken.expected, broken.actual, broken.owner, broken.ids])
      }
    }
    return found
  }

  testSweep('removals fail in sweep after sweep: suspected, with their ids', { dht: true }, async (store) => {
    const [absent, connected, contact] = [await store.add(), await store.add(), await store.add({ tags: ['kad-peer'] })]
    store.connect(connected)
    store.addToTable(contact)
    store.dial = async () => {}
    store.beforeWrite = () => {
      throw new Error('the disk is full')
    }
    const found = await suspected(store)
    assert.deepEqual(found[0], [2, 3, 'peer store', [absent.toString()]])
    const gone = await store.add()
    store.connect(gone)
    store.disconnect(gone)
    const [invariant] = (await store.sweep.evidence(store.clock.now())).invariants ?? []
    assert.deepEqual([invariant?.expected, invariant?.actual, invariant?.ids], [3, 4, [absent.toString()]])
    store.beforeWrite = () => {}
    await store.advance(sweepIntervalMs)
    assert.deepEqual([await suspected(store), store.has(absent)], [[], false])
  })

  testSweep('removals fail in one sweep only: not suspected', {}, async (store) => {
    await store.add()
    store.beforeWrite = () => {
      if (store.clock.now() < 1.5 * sweepIntervalMs) throw new Error('the disk is full')
    }
    assert.deepEqual([await suspected(store), countsOf(store), countsOf(store, 1)], [[], [1, 0, 1, 1], [1, 1, 0, 0]])
  })

  testSweep('a process that was stopped for ten minutes: its first census does not suspect', {}, async (store) => {
    await store.add()
    const late = store.clock.now() + 600_000
    assert.deepEqual(await store.sweep.evidence(late), {})
    await store.advance(sweepIntervalMs)
    assert.deepEqual(await suspected(store), [])
  })

  testSweep('peers that come and go all the time: not suspected', {}, async (store) => {
    for (let minute = 0; minute < 10; minute++) {
      for (let i = 0; i < 5; i++) {
        const peer = await store.add({ ageMs: 0 })
        store.connect(peer)
        store.disconnect(peer)
      }
      assert.deepEqual(await suspected(store, 60_000), [])
    }
    assert.ok(store.calls.some((call) => call.startsWith('delete')))
  })

  testSweep('an application: its own records are not suspected', { mode: 'own' }, async (store) => {
    await store.add()
    assert.deepEqual(await suspected(store), [])
  })
})

describe('the table of a DHT', () => {
  const setup = { dht: true } as const

  /** A peer of the table that is absent; another one keeps the node connected. */
  async function absentContact(store: FakePeerStore) {
    store.connect(await store.add())
    const peer = await store.add({ tags: ['kad-peer', 'kad-close', 'keep-alive-kad-dht'] })
    return { peer, contact: store.addToTable(peer) }
  }

  testSweep('an absent peer that answers: it keeps its record, sweep after sweep', setup, async (store) => {
    const { peer, contact } = await absentContact(store)
    store.dial = async () => {}
    await store.advance(3 * sweepIntervalMs)
    assert.ok(store.has(peer) && store.table.has(peer.toString()))
    assert.deepEqual(store.callsFor(peer), ['dial', 'dial', 'dial'])
    assert.equal(contact.lastPing, store.clock.wall())
    assert.equal(store.spans[0]?.attributes['mesh.peerstore.probed'], 1)
  })

  testSweep(
    'an absent peer that does not answer in two sweeps: removed from the table, then from the store',
    setup,
    async (store) => {
      const { peer } = await absentContact(store)
      await store.advance(sweepIntervalMs)
      assert.deepEqual(
        [store.has(peer), store.table.size, store.callsFor(peer), unanswered(store)],
        [true, 1, ['dial'], 1],
      )
      await store.advance(sweepIntervalMs)
      assert.deepEqual(store.callsFor(peer), ['dial', 'dial', 'table.remove', 'clear', 'delete'])
      assert.deepEqual([store.has(peer), store.table.size, unanswered(store)], [false, 0, 0])
      assert.deepEqual(
        [countsOf(store, 0), countsOf(store, 1)],
        [
          [2, 0, 2, 0],
          [2, 1, 1, 0],
        ],
      )
    },
  )

  testSweep(
    'a dead peer that a query of the DHT dials or touches during a sweep: its failure before still counts in the next',
    setup,
    async (store) => {
      const { peer } = await absentContact(store)
      await store.advance(sweepIntervalMs)
      store.dialled.set(peer.toString(), peer)
      await store.advance(sweepIntervalMs)
      assert.deepEqual([store.has(peer), unanswered(store)], [true, 1])
      store.dialled.clear()
      await store.advance(sweepIntervalMs)
      assert.deepEqual([store.has(peer), store.table.size, unanswered(store)], [false, 0, 0])
    },
  )

  testSweep(
    'a peer that answers, but whose connection does not close: aborted, and the peer stays',
    setup,
    async (store) => {
      const { peer } = await absentContact(store)
      store.dial = async () => {}
      store.close = () => Promise.reject(new Error('the close timed out'))
      await store.advance(3 * sweepIntervalMs)
      assert.deepEqual([store.has(peer), store.table.size], [true, 1])
      assert.deepEqual(store.callsFor(peer), ['dial', 'abort', 'dial', 'abort', 'dial', 'abort'])
    },
  )

  const respites: Record<string, (store: FakePeerStore, peer: PeerId) => void> = {
    'answers the next dial': (store) => {
      store.dial = async () => {}
    },
    'connects meanwhile': (store, peer) => {
      store.connect(peer)
      store.disconnect(peer)
    },
    'is a member for one sweep': (store, peer) => store.members.add(peer.toString()),
  }
  for (const [what, relieve] of Object.entries(respites))
    testSweep(
      `a peer that fails to answer, then ${what}, then fails again: it stays until a third failure`,
      setup,
      async (store) => {
        const { peer } = await absentContact(store)
        const { dial } = store
        await store.advance(sweepIntervalMs)
        relieve(store, peer)
        if (what !== 'connects meanwhile') await store.advance(sweepIntervalMs)
        assert.equal(unanswered(store), 0)
        store.dial = dial
        store.members.clear()
        await store.advance(sweepIntervalMs)
        assert.deepEqual([store.has(peer), unanswered(store)], [true, 1])
        await store.advance(sweepIntervalMs)
        assert.equal(store.has(peer), false)
      },
    )

  testSweep(
    'more dead peers than a sweep dials: each is dialled twice, and no more are remembered',
    setup,
    async (store) => {
      store.connect(await store.add())
      for (let i = 0; i < 100; i++) store.addToTable(await store.add()).lastPing = i
      const sizes: (readonly [table: number, unanswered: number | undefined])[] = []
      for (let sweep = 0; sweep < 4; sweep++) {
        await store.advance(sweepIntervalMs + 100)
        sizes.push([store.table.size, unanswered(store)])
      }
      assert.deepEqual(sizes, [
        [100, 64],
        [36, 0],
        [36, 36],
        [0, 0],
      ])
      assert.equal(store.calls.filter((call) => call.startsWith('dial')).length, 200)
    },
  )

  testSweep('an absent peer that lives as a member: kept without a dial', setup, async (store) => {
    const { peer } = await absentContact(store)
    store.members.add(peer.toString())
    await store.advance(sweepIntervalMs)
    assert.deepEqual([store.has(peer), store.callsFor(peer)], [true, []])
  })

  testSweep('a node without any connection: it judges no peer of the table', setup, async (store) => {
    const peer = await store.add({ tags: ['kad-peer'] })
    store.addToTable(peer)
    await store.advance(sweepIntervalMs)
    assert.deepEqual([store.has(peer), store.table.size, store.callsFor(peer)], [true, 1, []])
  })

  const ownFailures = {
    'the gater refuses': Object.assign(new Error('denied'), { name: 'DialDeniedError' }),
    'a limit of the mesh refuses': new AggregateError([
      new MeshError('MESH_LIMIT_REACHED', { limit: 'connections', value: 400 }),
    ]),
    'the lack of descriptors prevents': Object.assign(new Error('EMFILE'), { code: 'EMFILE' }),
  }
  for (const [cause, error] of Object.entries(ownFailures))
    testSweep(`a dial that ${cause}: the peer stays`, setup, async (store) => {
      const { peer } = await absentContact(store)
      store.dial = () => Promise.reject(error)
      await store.advance(3 * sweepIntervalMs)
      assert.deepEqual([store.has(peer), store.table.size], [true, 1])
    })

  testSweep('an absent peer without a record: removed from the table', setup, async (store) => {
    const peer = await newPeer()
    store.addToTable(peer)
    await store.advance(sweepIntervalMs)
    assert.deepEqual([store.table.size, store.callsFor(peer)], [0, ['table.remove']])
  })

  testSweep('many absent peers: at most 64 dials, of those that answered least recently', setup, async (store) => {
    store.connect(await store.add())
    store.dial = async () => {}
    for (let i = 0; i < 100; i++) store.addToTable(await store.add()).lastPing = i
    await store.advance(sweepIntervalMs + 100)
    const left = [...store.table.values()].filter(({ lastPing }) => lastPing < 1_000)
    assert.deepEqual([left.length, Math.min(...left.map(({ lastPing }) => lastPing))], [36, 64])
  })
})

describe('an application', () => {
  const setup = { mode: 'own' } as const

  /** Connects and disconnects a peer, and lets a sweep pass. */
  async function visit(store: FakePeerStore, options: Parameters<FakePeerStore['add']>[0] = {}) {
    const peer = await store.add(options)
    store.connect(peer)
    store.disconnect(peer)
    await store.advance(sweepIntervalMs)
    return peer
  }

  testSweep('a member that came in: its record goes', setup, async (store) => {
    const peer = await visit(store)
    assert.equal(store.has(peer), false)
    assert.deepEqual([store.spans[0]?.attributes['mesh.peerstore.mode'], countsOf(store)], ['own', [1, 1, 0, 0]])
  })

  testSweep('a peer without the mesh’s protocol that the mesh dialled: its record goes', setup, async (store) => {
    store.opener = 'mesh'
    assert.equal(store.has(await visit(store, { protocols: [] })), false)
  })

  testSweep('a peer without the mesh’s protocol that came in: kept', setup, async (store) => {
    assert.ok(store.has(await visit(store, { protocols: [] })))
  })

  testSweep('a member that the application dialled: kept', setup, async (store) => {
    store.opener = 'application'
    assert.ok(store.has(await visit(store)))
  })

  testSweep('a member that gossipsub tagged: its record goes', setup, async (store) => {
    assert.equal(store.has(await visit(store, { tags: ['news'] })), false)
  })

  testSweep('a member that the application tagged: kept', setup, async (store) => {
    assert.ok(store.has(await visit(store, { tags: ['app'] })))
  })

  testSweep(
    'a member in the table of the application’s DHT: kept, and not dialled',
    { ...setup, dht: true },
    async (store) => {
      const peer = await store.add({ tags: ['kad-peer'] })
      store.addToTable(peer)
      store.connect(peer)
      store.connect(await store.add())
      store.disconnect(peer)
      await store.advance(2 * sweepIntervalMs)
      assert.deepEqual([store.has(peer), store.callsFor(peer)], [true, []])
    },
  )

  testSweep('a record of which the mesh knows nothing: kept', setup, async (store) => {
    const peer = await store.add()
    await store.advance(3 * sweepIntervalMs)
    assert.ok(store.has(peer))
  })

  testSweep('whose a peer is: asked once per departure; a sweep of all records does not ask', setup, async (store) => {
    const all = await FakePeerStore.start()
    for (const one of [store, all]) await visit(one)
    await all.owner.close()
    assert.deepEqual([store.openerReads, all.openerReads], [1, 0])
  })

  testSweep(
    'more departures than the mesh remembers: the oldest records go at once, and the next span counts them',
    setup,
    async (store) => {
      const peers = await Promise.all(Array.from({ length: limits.disconnected + 5 }, () => store.add()))
      const [stuck] = peers
      store.beforeWrite = (_, peer) => {
        if (peer === stuck) throw new Error('the disk is full')
      }
      for (const peer of peers) {
        store.connect(peer)
        store.disconnect(peer)
      }
      await store.advance(0)
      assert.deepEqual(
        peers.slice(0, 6).map((peer) => store.has(peer)),
        [true, false, false, false, false, true],
      )
      await store.advance(sweepIntervalMs + 100)
      assert.deepEqual(
        peers.filter((peer) => store.has(peer)),
        [stuck],
      )
      assert.deepEqual(countsOf(store), [peers.length, peers.length - 1, 1, 1])
      const { failed, attributes } = store.spans[0] ?? {}
      assert.deepEqual(
        [failed, attributes?.['mesh.error.message'], attributes?.['mesh.peerstore.judged']],
        [true, 'the disk is full', peers.length],
      )
      await store.advance(sweepIntervalMs)
      assert.deepEqual(countsOf(store, 1), [1, 0, 1, 0])
    },
  )
})
