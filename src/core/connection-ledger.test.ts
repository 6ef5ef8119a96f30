import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { TwoEnds } from '../testing/core/two-ends.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { ConnectionLedger } from './connection-ledger.ts'
import type { ConnectionInfo } from './events.ts'
import { limits } from './limits.ts'
import { Owner } from './owner.ts'
import { maxOverLimit } from './peer-records.ts'

leakCheck()

const names = (ends: TwoEnds, end: 'a' | 'b') =>
  ends.spans.filter((one) => one.end === end).map(({ effect }) => effect.span)
const spansOf = (ends: TwoEnds, name: string) => ends.spans.filter(({ effect }) => effect.span === name)

suite('a link', () => {
  test('opens in one trace for both ends, under the dialler’s opened span', () => {
    const ends = new TwoEnds(seededRandom(1))
    ends.dial('a')
    ends.settle(200)
    const opened = spansOf(ends, 'mesh.connection.opened')
    const root = opened.find(({ end }) => end === 'a')?.effect
    const other = opened.find(({ end }) => end === 'b')?.effect
    assert.equal(root?.parent, null)
    assert.deepEqual(other?.parent, root?.ref)
    const hellos = spansOf(ends, 'mesh.hello.received')
    assert.deepEqual(
      hellos.map(({ effect }) => effect.parent?.traceId),
      [root?.ref?.traceId, root?.ref?.traceId],
    )
    const ids = new Set(hellos.map(({ effect }) => (effect.attributes as Record<string, unknown>)['mesh.link.id']))
    assert.deepEqual([...ids], ['a.1.1'])
  })

  test('closes in one trace for both ends, linked to the opened span', () => {
    const ends = new TwoEnds(seededRandom(2))
    ends.dial('a')
    ends.settle(200)
    const openedTraces = spansOf(ends, 'mesh.connection.opened').map(({ effect }) => effect.ref?.traceId)
    ends.stop('a')
    ends.settle(200)
    const traces = ['mesh.goodbye.received', 'mesh.connection.closed', 'mesh.connection.closed'].map(
      (name, index) => spansOf(ends, name)[index > 1 ? 1 : 0]?.effect.parent?.traceId,
    )
    const sent = spansOf(ends, 'mesh.goodbye.sent')[0]?.effect
    assert.deepEqual(new Set(traces), new Set([sent?.ref?.traceId]))
    for (const { effect } of spansOf(ends, 'mesh.connection.closed')) {
      assert.equal((effect.attributes as Record<string, unknown>)['mesh.close.reason'], 'stopping')
      assert.equal(effect.links?.[0]?.traceId, openedTraces[0])
    }
  })

  test('with crossed goodbyes closes in one trace, that of the lower peer id', () => {
    const ends = new TwoEnds(seededRandom(2))
    ends.dial('b')
    ends.settle(200)
    ends.stop('a', 'b')
    ends.settle(200)
    const sent = spansOf(ends, 'mesh.goodbye.sent')
    assert.deepEqual(
      sent.map(({ end }) => end),
      ['a', 'b'],
    )
    const [byA, byB] = sent.map(({ effect }) => effect.ref)
    for (const name of ['mesh.goodbye.received', 'mesh.connection.closed']) {
      const outcome = spansOf(ends, name)
      assert.deepEqual(outcome.map(({ end }) => end).toSorted(), ['a', 'b'], name)
      for (const { effect } of outcome) assert.equal(effect.parent?.traceId, byA?.traceId, name)
    }
    const received = spansOf(ends, 'mesh.goodbye.received').find(({ end }) => end === 'a')?.effect
    assert.equal(received?.links?.at(-1)?.spanId, byB?.spanId, 'it links to the other goodbye')
    for (const end of ['a', 'b']) {
      const left = ends.effects.filter((one) => one.end === end && one.effect.do === 'left')
      assert.equal(left.length, 1, `${end} learns that the other stops`)
    }
  })

  test('of two crossed dials: both ends keep the one dialled by the lower peer id', () => {
    const ends = new TwoEnds(seededRandom(3))
    ends.dial('a')
    ends.dial('b')
    ends.settle(2_000)
    assert.deepEqual(ends.openConnections(), ['c1'], 'the link dialled by the lower peer id stays')
    assert.equal(spansOf(ends, 'mesh.goodbye.sent').length, 1, 'one goodbye, so that the close is one trace')
    assert.ok(names(ends, 'a').includes('mesh.connection.superseded'))
  })

  test('to a foreign mesh: both ends refuse it and emit why', () => {
    const ends = new TwoEnds(seededRandom(4), { a: 'm', b: 'other' })
    ends.dial('a')
    ends.settle(200)
    assert.deepEqual(ends.openConnections(), [])
    for (const end of ['a', 'b'] as const) {
      const refused = spansOf(ends, 'mesh.link.refused').filter((one) => one.end === end)
      assert.equal(refused.length, 1, `${end} emits it once`)
      const joined = ends.effects.some((one) => one.end === end && one.effect.do === 'joined')
      assert.equal(joined, false)
    }
    const closed = spansOf(ends, 'mesh.connection.closed').map(({ effect }) => effect.parent?.traceId)
    assert.deepEqual([closed.length, new Set(closed).size], [2, 1], 'both ends close it in one trace')
  })
})

suite('a link stream that fails to open', () => {
  const failing = (type: 'stream.absent' | 'stream.closed', failures: number) => {
    const ends = new TwoEnds(seededRandom(5))
    ends.failOpens(type, failures)
    ends.dial('a')
    return ends
  }
  const joinedAt = (ends: TwoEnds) => {
    while (ends.ledgers.a.joinedLink('b') === undefined && ends.clock.now() < 60_000) ends.settle(50)
    return ends.clock.now()
  }

  for (const type of ['stream.absent', 'stream.closed'] as const) {
    test(`is opened again after 2 s and 10 s: ${type}`, () => {
      for (const [failures, seconds] of [
        [1, 2],
        [2, 10],
      ] as const) {
        const ends = failing(type, failures)
        const at = joinedAt(ends)
        assert.ok(at >= seconds * 1_000 && at <= seconds * 1_000 + 300, `${failures} failures: ${at}`)
        ends.settle(200)
        assert.notEqual(ends.ledgers.b.joinedLink('a'), undefined)
        assert.equal(spansOf(ends, 'mesh.hello.received').length, 2)
      }
    })
  }

  test('that never opens: two retries, and one guest span, at once', () => {
    const ends = failing('stream.absent', Infinity)
    ends.settle(200)
    const guests = () => spansOf(ends, 'mesh.connection.guest').filter(({ end }) => end === 'a').length
    assert.equal(guests(), 1)
    ends.settle(60_000)
    assert.equal(ends.effects.filter(({ effect }) => effect.do === 'open').length, 3)
    assert.equal(guests(), 1)
    assert.equal(ends.openConnections().length, 1)
  })
})

test('any order of dials, snapshots and frames: both ends keep the same single link', () => {
  const steps = fc.array(fc.constantFrom('dial a', 'dial b', 'see a', 'see b', 'frame'), {
    minLength: 1,
    maxLength: 40,
  })
  fc.assert(
    fc.property(steps, fc.integer(), (order, seed) => {
      const random = seededRandom(seed)
      const ends = new TwoEnds(random)
      let dials = 0
      for (const step of order) {
        if (step.startsWith('dial') && dials++ < 4) ends.dial(step.endsWith('a') ? 'a' : 'b')
        if (step.startsWith('see')) ends.observe(step.endsWith('a') ? 'a' : 'b')
        const waiting = ends.queuedFrames()
        const chosen = waiting[Math.floor(random() * waiting.length)]
        if (step === 'frame' && chosen !== undefined) ends.deliver(chosen.pipe, chosen.to)
      }
      ends.settle(4_000)
      assert.equal(ends.openConnections().length, dials === 0 ? 0 : 1)
      assert.equal(ends.ledgers.a.joinedLink('b')?.connection, ends.ledgers.b.joinedLink('a')?.connection)
      const opened = spansOf(ends, 'mesh.connection.opened').length
      const closed = spansOf(ends, 'mesh.connection.closed').length
      assert.equal(opened - closed, dials === 0 ? 0 : 2, 'all but the remaining link are closed')
    }),
    { numRuns: 300 },
  )
})

suite('the ledger', () => {
  const info = (id: string, peer: string, extra: Partial<ConnectionInfo> = {}): ConnectionInfo => ({
    id,
    peer,
    direction: 'inbound',
    address: '/memory/x',
    transport: 'memory',
    gossip: 'none',
    ...extra,
  })
  const hello = (incarnation: number, counter: number) => ({
    meshes: ['m'],
    name: 'p',
    role: 'compute' as const,
    incarnation,
    build: 'test',
    counter,
    trace: { traceId: '1'.repeat(32), spanId: '2'.repeat(16) },
  })
  const ledger = (maxPeers?: number) =>
    new ConnectionLedger(new Owner('t', new VirtualClock()), {
      self: 'self',
      hello: { meshes: ['m'], name: 'self', role: 'compute', incarnation: 1, build: 'test' },
      random: seededRandom(1),
      ...(maxPeers === undefined ? {} : { maxPeers }),
    })

  test('link to an earlier incarnation: aborted at once, whichever end dialled', () => {
    const one = ledger()
    one.handle({ type: 'observed', connections: [info('old', 'p')] }, 0)
    one.handle({ type: 'frame', connection: 'old', frame: { type: 'hello', hello: hello(5, 9) } }, 0)
    one.handle({ type: 'observed', connections: [info('old', 'p'), info('new', 'p')] }, 2_000)
    const effects = one.handle(
      { type: 'frame', connection: 'new', frame: { type: 'hello', hello: hello(6, 1) } },
      2_000,
    )
    assert.ok(effects.some((e) => e.do === 'close' && e.connection === 'old' && e.abort))
    assert.equal(one.joinedLink('p')?.connection, 'new')
  })

  test('silent link: probed, and aborted within 4 s without an answer', () => {
    const one = ledger()
    one.handle({ type: 'observed', connections: [info('c', 'p')] }, 0)
    one.handle({ type: 'frame', connection: 'c', frame: { type: 'hello', hello: hello(1, 1) } }, 0)
    const at: Record<string, number> = {}
    for (let now = one.deadline(); now <= 4_000; now = one.deadline()) {
      for (const e of one.handle({ type: 'tick' }, now)) {
        if (e.do === 'send' && e.frame.type === 'probe') at['probe'] = now
        if (e.do === 'close' && e.abort) at['abort'] ??= now
      }
    }
    assert.deepEqual(at, { probe: 2_300, abort: 3_500 })
  })

  test('own suspension: does not count as silence of the peer', () => {
    const one = ledger()
    one.handle({ type: 'observed', connections: [info('c', 'p')] }, 0)
    one.handle({ type: 'frame', connection: 'c', frame: { type: 'hello', hello: hello(1, 1) } }, 0)
    one.handle({ type: 'slept', ms: 45_000 }, 45_000)
    assert.equal(one.handle({ type: 'tick' }, 45_100).length, 0)
  })

  test('peer without a hello: a guest, and a member after a late hello', () => {
    const one = ledger()
    one.handle({ type: 'observed', connections: [info('c', 'p')] }, 0)
    const effects = one.handle({ type: 'tick' }, 6_000)
    assert.ok(effects.some((e) => e.do === 'emit-span' && e.span === 'mesh.connection.guest'))
    const late = one.handle({ type: 'frame', connection: 'c', frame: { type: 'hello', hello: hello(1, 1) } }, 7_000)
    assert.ok(late.some((e) => e.do === 'joined'))
  })

  test('old connection closes: its successor stays', () => {
    const one = ledger()
    one.handle({ type: 'observed', connections: [info('old', 'p')] }, 0)
    one.handle({ type: 'observed', connections: [info('old', 'p'), info('new', 'p')] }, 10)
    const effects = one.handle({ type: 'observed', connections: [info('new', 'p')] }, 20)
    assert.equal(
      effects.some((e) => e.do === 'disconnected'),
      false,
    )
    assert.equal(one.size, 1)
  })

  test('peers above the limit: refused, with one span a second', () => {
    const one = ledger(1)
    const connections = Array.from({ length: 1 + maxOverLimit + 2 }, (_, i) => info(`${i}`, `p${i}`))
    const effects = one.handle({ type: 'observed', connections }, 0)
    assert.equal(one.size, 1 + maxOverLimit)
    assert.deepEqual(
      effects.filter((e) => e.do === 'close').map((e) => e.connection),
      ['9', '10'],
    )
    assert.equal(effects.filter((e) => e.do === 'emit-span' && e.span === 'mesh.limit.reached').length, 1)
    const later = one.handle({ type: 'tick' }, 2_000)
    assert.equal(later.filter((e) => e.do === 'close').length, maxOverLimit, 'peers without a hello are closed')
    assert.equal(later.filter((e) => e.do === 'emit-span' && e.span === 'mesh.connection.guest').length, 0)
  })

  test('hello of a peer above the limit: answered with a goodbye, not with a hello', () => {
    const one = ledger(1)
    one.handle({ type: 'observed', connections: [info('1', 'p'), info('2', 'q')] }, 0)
    const effects = one.handle({ type: 'frame', connection: '2', frame: { type: 'hello', hello: hello(1, 1) } }, 10)
    const sent = effects.flatMap((e) => (e.do === 'send' ? [e.frame] : []))
    assert.deepEqual(
      sent.map((frame) => [frame.type, frame.type === 'goodbye' && frame.reason]),
      [['goodbye', 'limit']],
    )
    assert.ok(effects.some((e) => e.do === 'close' && e.connection === '2' && !e.abort))
    assert.equal(one.isMember('2'), false)
  })

  test('second connection of a peer above the limit, either direction: refused too', () => {
    const one = ledger(1)
    const own = info('3', 'q', { direction: 'outbound' })
    one.handle({ type: 'observed', connections: [info('1', 'p'), info('2', 'q')] }, 0)
    const effects = one.handle(
      { type: 'observed', connections: [info('1', 'p'), info('2', 'q'), own, info('4', 'q')] },
      1,
    )
    assert.deepEqual(
      effects.filter((e) => e.do === 'close').map((e) => e.connection),
      ['3'],
    )
    one.handle({ type: 'frame', connection: '4', frame: { type: 'hello', hello: hello(1, 2) } }, 2)
    assert.equal(one.joinedLink('q'), undefined)
  })

  test('invalid frame: closes its link and no other', () => {
    const one = ledger()
    one.handle({ type: 'observed', connections: [info('1', 'p'), info('2', 'q')] }, 0)
    const effects = one.handle({ type: 'frame.refused', connection: '1', reason: 'too long', isFlooding: false }, 1)
    assert.deepEqual(
      effects.filter((e) => e.do === 'close').map((e) => ('connection' in e ? e.connection : '')),
      ['1'],
    )
  })

  test('many refused frames: one span and one close', () => {
    const one = ledger()
    one.handle({ type: 'observed', connections: [info('1', 'p')] }, 0)
    one.handle({ type: 'frame', connection: '1', frame: { type: 'hello', hello: hello(1, 1) } }, 0)
    const refused = {
      type: 'frame.refused',
      connection: '1',
      reason: 'digest for another peer',
      isFlooding: false,
    } as const
    const effects = [1, 2, 3].flatMap(() => one.handle(refused, 1))
    assert.equal(effects.filter((e) => e.do === 'emit-span' && e.span === 'mesh.frame.refused').length, 1)
    assert.equal(effects.filter((e) => e.do === 'close').length, 1)
  })

  test('rejected connections: aborted with the given reason, and one limit span a second', () => {
    const one = ledger()
    const connections = [info('1', 'p'), info('2', 'q'), info('3', 'r')]
    one.handle({ type: 'observed', connections }, 0)
    const limit = { type: 'connection.rejected', reason: 'limit' } as const
    const effects = [
      ...one.handle({ ...limit, connection: '1' }, 1),
      ...one.handle({ ...limit, connection: '1' }, 2),
      ...one.handle({ ...limit, connection: '2' }, 3),
      ...one.handle({ type: 'connection.rejected', reason: 'silent', connection: '3' }, 4),
    ]
    assert.deepEqual(
      effects.filter((e) => e.do === 'close'),
      ['1', '2', '3'].map((connection) => ({ do: 'close', connection, abort: true })),
    )
    const [span, ...more] = effects.filter((e) => e.do === 'emit-span' && e.span === 'mesh.limit.reached')
    assert.ok(span?.do === 'emit-span' && span.span === 'mesh.limit.reached')
    assert.deepEqual(span.attributes, {
      'mesh.limit.name': 'linkOutBytes',
      'mesh.limit.value': limits.linkOutBytes,
      'mesh.limit.action': 'closed',
      'mesh.peer.id': 'p',
    })
    assert.deepEqual(more, [])
    const closed = one
      .handle({ type: 'observed', connections: [] }, 5)
      .flatMap((e) =>
        e.do === 'emit-span' && e.span === 'mesh.connection.closed' ? [e.attributes['mesh.close.reason']] : [],
      )
    assert.deepEqual(closed, ['limit', 'limit', 'silent'])
  })

  /** The actions of a ledger on connections with gossip that then stay unchanged, with a snapshot every 250 ms. */
  const play = (connections: readonly ConnectionInfo[], forMs: number, one = ledger()) => {
    const actions: string[] = []
    const before = connections.map((info): ConnectionInfo => ({ ...info, gossip: 'open' }))
    one.handle({ type: 'observed', connections: before }, -1)
    for (let now = 0; now < forMs; now += 250) {
      for (const effect of one.handle({ type: 'observed', connections }, now)) {
        if (effect.do === 'heal' || effect.do === 'identify') actions.push(`${now} ${effect.do} ${effect.connection}`)
        else if (effect.do === 'close') actions.push(`${now} close ${effect.connection}`)
        else if (effect.do === 'emit-span' && effect.span === 'mesh.gossip.mute')
          actions.push(`${now} mute, closes: ${effect.attributes['mesh.gossip.closes']}`)
        else if (effect.do === 'emit-span' && effect.span === 'mesh.identify.retried')
          actions.push(`${now} retry ${effect.attributes['mesh.identify.retry']}`)
      }
    }
    return actions
  }

  test('lost gossipsub stream: three heals, then closes the connection', () => {
    assert.deepEqual(play([info('1', 'p', { gossip: 'missing' })], 30_000), [
      '250 heal 1',
      '3250 heal 1',
      '9250 heal 1',
      '21250 mute, closes: true',
      '21250 close 1',
    ])
  })

  test('mute gossip on a connection of the application: emitted, and the connection stays', () => {
    const actions = play([info('1', 'p', { gossip: 'missing', isForeign: true })], 30_000)
    assert.deepEqual(actions.slice(-1), ['21250 mute, closes: false'])
  })

  test('repeatedly mute peer: its connection closes once in five minutes', () => {
    const one = ledger()
    const muteFor = (id: string, from: number) => {
      let outcome = 'nothing'
      one.handle({ type: 'observed', connections: [info(id, 'p', { gossip: 'open' })] }, from - 1)
      for (let now = from; now < from + 30_000; now += 250)
        for (const effect of one.handle({ type: 'observed', connections: [info(id, 'p', { gossip: 'missing' })] }, now))
          if (effect.do === 'emit-span' && effect.span === 'mesh.gossip.mute')
            outcome = effect.attributes['mesh.gossip.closes'] ? 'closes' : 'stays'
      one.handle({ type: 'observed', connections: [] }, from + 30_000)
      return outcome
    }
    assert.deepEqual([muteFor('1', 0), muteFor('2', 60_000), muteFor('3', 400_000)], ['closes', 'stays', 'closes'])
  })

  test('ten peers without gossip: four concurrent heals, the others wait', () => {
    const actions = play(
      Array.from({ length: 10 }, (_, index) => info(`${index}`, `p${index}`, { gossip: 'missing' })),
      3_250,
    )
    assert.equal(actions.filter((step) => step.startsWith('250 ')).length, 4)
    assert.equal(actions.length, 4)
  })

  test('connection without identify: four retries at doubling intervals', () => {
    assert.deepEqual(play([info('1', 'p', { isUnidentified: true })], 200_000), [
      '6000 retry 1',
      '6000 identify 1',
      '18000 retry 2',
      '18000 identify 1',
      '42000 retry 3',
      '42000 identify 1',
      '90000 retry 4',
      '90000 identify 1',
    ])
    assert.deepEqual(play([info('1', 'p')], 200_000), [])
  })
})
