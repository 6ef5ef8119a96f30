import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { infoOf, joinLink, makeLedger } from '../testing/core/node-fixture.ts'
import { digestOf, hear, makeView } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import type { ConnectionInfo } from './events.ts'
import type { LedgerEffect } from './ledger-events.ts'
import { limits } from './limits.ts'
import { Neighbours } from './neighbours.ts'

// Connections of the application next to those of the mesh.

leakCheck()

function info(id: string, changes: Partial<ConnectionInfo> = {}): ConnectionInfo {
  return infoOf({ id, direction: 'outbound', ...changes })
}

function fixture(connectionsHigh = 8) {
  const ledger = makeLedger({ connectionsHigh })
  const observe = (now: number, ...connections: ConnectionInfo[]) =>
    ledger.handle({ type: 'observed', connections }, now)
  const join = (connection: string, now: number) => joinLink(ledger, connection, now)
  return { ledger, observe, join }
}

const performed = (effects: readonly LedgerEffect[]) =>
  effects.flatMap((one) => (one.do === 'emit-span' ? [] : [one.do]))
const spans = (effects: readonly LedgerEffect[]) => effects.flatMap((one) => (one.do === 'emit-span' ? [one.span] : []))

const relayed = { isLimited: true, address: '/ip4/10.0.0.1/tcp/1/p2p/r/p2p-circuit' } as const

suite('a relayed connection', () => {
  test('is listed as a guest at once, without a stream and without taking a place', () => {
    for (const direction of ['inbound', 'outbound'] as const) {
      const { ledger, observe } = fixture(1)
      const effects = observe(0, info('1', { ...relayed, direction }))
      assert.deepEqual(performed(effects), [])
      assert.deepEqual(spans(effects), ['mesh.connection.opened', 'mesh.connection.guest'])
      assert.deepEqual([ledger.size, ledger.isConnected('p'), ledger.get('p')?.links.length], [0, false, 1])
      assert.equal(ledger.deadline(), Infinity, 'it has no deadline')
      assert.deepEqual(performed(observe(1, info('1', { ...relayed, direction }), info('2', { peer: 'q' }))), ['open'])
      assert.equal(ledger.size, 1, 'the one place is free for another peer')
    }
  })

  test('is neither healed nor closed at the stop', () => {
    const { ledger, observe } = fixture()
    observe(0, info('1', relayed))
    assert.deepEqual(performed(observe(60_000, info('1', { ...relayed, gossip: 'missing' }))), [])
    assert.deepEqual(performed(ledger.handle({ type: 'stopping' }, 60_001)), [])
  })

  test('upgraded by DCUtR: the direct connection becomes the link, and the close of either leaves the other', () => {
    for (const direction of ['inbound', 'outbound'] as const) {
      const { ledger, observe, join } = fixture()
      const relay = info('1', { ...relayed, direction })
      const direct = info('2', { direction, isForeign: true })
      observe(0, relay)
      assert.deepEqual(performed(observe(1, relay, direct)), direction === 'outbound' ? ['open'] : [])
      join('2', 2)
      assert.equal(ledger.joinedLink('p')?.connection, '2')
      assert.deepEqual(performed(ledger.handle({ type: 'tick' }, 3)), [])
      assert.deepEqual(performed(observe(4, direct)), [], 'the relayed connection closes without effect')
      observe(5, direct, { ...relay, id: '3' })
      assert.deepEqual(performed(observe(6, { ...relay, id: '3' })), ['disconnected'])
      assert.deepEqual([ledger.size, ledger.isConnected('p')], [0, false])
      assert.deepEqual(performed(observe(7)), [], 'its place is freed once')
      assert.equal(ledger.size, 0)
    }
  })

  test('of a guest neither supersedes its direct connection nor is superseded by it', () => {
    const { observe, ledger } = fixture()
    const relay = (id: string) => info(id, { ...relayed, direction: 'inbound' })
    const direct = info('2', { direction: 'inbound' })
    observe(0, relay('1'))
    observe(1, relay('1'), direct)
    const guest = ledger.handle({ type: 'stream.absent', connection: '2' }, 2)
    assert.deepEqual(performed([...guest, ...observe(3, relay('1'), direct, relay('3'))]), [])
  })

  test('of a known member does not stop the mesh from dialling it', () => {
    const { ledger, observe } = fixture()
    const view = makeView()
    const neighbours = new Neighbours({ self: 'self', neighbours: 8, random: seededRandom(1) }, view, ledger)
    observe(0, info('1', relayed))
    hear(view, digestOf('p', { links: [], addresses: ['/ip4/10.0.0.1/udp/1/quic-v1'] }), 0, 'gossip')
    neighbours.handle({ type: 'joined', peer: 'p' }, 0)
    const effects = neighbours.handle({ type: 'tick' }, 10_000).map((effect) => effect.do)
    assert.deepEqual(effects, ['dial.peer'])
  })

  test('peers behind relays: listed up to a limit, also after their direct connections closed', () => {
    const { ledger, observe } = fixture(1_000)
    const many = Array.from({ length: 2 * limits.relayedPeers }, (_, i) => `p${i}`)
    const relays = many.map((peer) => info(`r ${peer}`, { ...relayed, peer }))
    const effects = observe(0, ...relays, ...many.map((peer) => info(`d ${peer}`, { peer })))
    assert.equal(spans(effects).filter((span) => span === 'mesh.limit.reached').length, 1, 'and reported')
    observe(1, ...relays)
    assert.equal([...ledger.records()].length, limits.relayedPeers)
    assert.equal(ledger.size, 0)
    observe(2)
    observe(3, ...relays.toReversed())
    assert.equal([...ledger.records()].length, limits.relayedPeers, 'places are free again')
  })
})

suite('a second connection that the application opens to a linked peer', () => {
  const own = info('1')
  const second = info('2', { isForeign: true })

  test('gets no link stream, and the link stays', () => {
    const { ledger, observe, join } = fixture()
    observe(0, own)
    join('1', 1)
    const effects = observe(2, own, second)
    assert.deepEqual(performed(effects), ['close'])
    assert.deepEqual(effects.at(-1), { do: 'close', connection: '2', abort: false })
    assert.equal(ledger.joinedLink('p')?.connection, '1')
  })

  test('gets no link stream while that of the first is opening', () => {
    const { observe } = fixture()
    observe(0, own)
    assert.deepEqual(performed(observe(1, own, second)), ['close'])
  })

  test('carries the link if the first cannot', () => {
    const { ledger, observe } = fixture()
    observe(0, own)
    ledger.handle({ type: 'stream.absent', connection: '1' }, 1)
    assert.deepEqual(performed(observe(2, own, second)), ['open'])
  })

  test('gets a link stream if the mesh dialled it, since the peer may have restarted', () => {
    const { observe, join } = fixture()
    observe(0, own)
    join('1', 1)
    assert.deepEqual(performed(observe(2, own, info('2'))), ['open'])
  })

  test('does not make a member a guest at the listener', () => {
    const { ledger, observe, join } = fixture()
    const [first, next] = [info('1', { direction: 'inbound' }), info('2', { direction: 'inbound', isForeign: true })]
    observe(0, first)
    join('1', 1)
    observe(2, first, next)
    ledger.handle({ type: 'frame', connection: '1', frame: { type: 'probe' } }, 6_000)
    const effects = ledger.handle({ type: 'tick' }, 6_100)
    const actions = effects.filter((one) => one.do !== 'emit-span')
    assert.deepEqual(actions, [{ do: 'close', connection: '2', abort: false }])
    assert.equal(spans(effects).includes('mesh.connection.guest'), false)
    assert.equal(ledger.joinedLink('p')?.connection, '1')
  })

  test('supersedes nothing if the peer is a guest', () => {
    const { ledger, observe } = fixture()
    const inbound = { direction: 'inbound', isForeign: true } as const
    observe(0, info('1', inbound))
    ledger.handle({ type: 'tick' }, 6_000)
    assert.deepEqual(performed(observe(6_001, info('1', inbound), info('2', inbound))), [])
    const own = fixture()
    own.observe(0, info('1', { direction: 'inbound' }))
    own.ledger.handle({ type: 'tick' }, 6_000)
    const effects = own.observe(6_001, info('1', { direction: 'inbound' }), info('2', { direction: 'inbound' }))
    assert.deepEqual(performed(effects), ['close'], 'if the mesh owns all connections, the newest stays')
  })
})
