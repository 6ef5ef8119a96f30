import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { TwoEnds } from '../testing/two-ends.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { ConnectionLedger } from './connection-ledger.ts'
import type { ConnectionInfo } from './events.ts'
import { limits } from './limits.ts'
import { Owner } from './owner.ts'
import { maxOverCapacity } from './peer-records.ts'

leakCheck()

const names = (ends: TwoEnds, end: 'a' | 'b') =>
  ends.spans.filter((one) => one.end === end).map(({ effect }) => effect.span)
const spansOf = (ends: TwoEnds, name: string) => ends.spans.filter(({ effect }) => effect.span === name)

suite('a link', () => {
  test('is born in one trace for both ends, under the dialler’s opened', () => {
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

  test('ends in one trace for both ends, linked to its birth', () => {
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

  test('that both end at once ends in one trace, that of the lower peer id', () => {
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
    assert.equal(received?.links?.at(-1)?.spanId, byB?.spanId, 'the other goodbye can be found from it')
    for (const end of ['a', 'b']) {
      const left = ends.effects.filter((one) => one.end === end && one.effect.do === 'left')
      assert.equal(left.length, 1, `${end} knows that the other stops`)
    }
  })

  test('that crosses another is settled alike on both ends', () => {
    const ends = new TwoEnds(seededRandom(3))
    ends.dial('a')
    ends.dial('b')
    ends.settle(2_000)
    assert.deepEqual(ends.openConnections(), ['c1'], 'the one that the lower peer id dialled stays')
    assert.equal(spansOf(ends, 'mesh.goodbye.sent').length, 1, 'one goodbye, so that the end is one trace')
    assert.ok(names(ends, 'a').includes('mesh.connection.superseded'))
  })

  test('of a foreign mesh is refused, and both sides see why', () => {
    const ends = new TwoEnds(seededRandom(4), { a: 'm', b: 'other' })
    ends.dial('a')
    ends.settle(200)
    assert.deepEqual(ends.openConnections(), [])
    for (const end of ['a', 'b'] as const) {
      const refused = spansOf(ends, 'mesh.link.refused').filter((one) => one.end === end)
      assert.equal(refused.length, 1, `${end} sees it once`)
      const joined = ends.effects.some((one) => one.end === end && one.effect.do === 'joined')
      assert.equal(joined, false)
    }
    const closed = spansOf(ends, 'mesh.connection.closed').map(({ effect }) => effect.parent?.traceId)
    assert.deepEqual([closed.length, new Set(closed).size], [2, 1], 'and end it in one trace')
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

  test('is given up after that: the peer is a guest, which was told at once and once', () => {
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

test('whatever the order of dials, snapshots and frames, both ends keep the same one link', () => {
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
      assert.equal(ends.standing().length, dials === 0 ? 0 : 1)
      assert.equal(ends.ledgers.a.joinedLink('b')?.connection, ends.ledgers.b.joinedLink('a')?.connection)
      const opened = spansOf(ends, 'mesh.connection.opened').length
      const closed = spansOf(ends, 'mesh.connection.closed').length
      assert.equal(opened - closed, dials === 0 ? 0 : 2, 'every opened but the one that stands has its closed')
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

  test('drops the link to an earlier incarnation at once, whoever dialled', () => {
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

  test('asks a silent link for a sign of life, and aborts it within 4 s when none comes', () => {
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

  test('counts no silence of the time it did not run itself', () => {
    const one = ledger()
    one.handle({ type: 'observed', connections: [info('c', 'p')] }, 0)
    one.handle({ type: 'frame', connection: 'c', frame: { type: 'hello', hello: hello(1, 1) } }, 0)
    one.handle({ type: 'slept', ms: 45_000 }, 45_000)
    assert.equal(one.handle({ type: 'tick' }, 45_100).length, 0)
  })

  test('takes a peer without hello for a guest, and as a member if it speaks after all', () => {
    const one = ledger()
    one.handle({ type: 'observed', connections: [info('c', 'p')] }, 0)
    const effects = one.handle({ type: 'tick' }, 6_000)
    assert.ok(effects.some((e) => e.do === 'emit-span' && e.span === 'mesh.connection.guest'))
    const late = one.handle({ type: 'frame', connection: 'c', frame: { type: 'hello', hello: hello(1, 1) } }, 7_000)
    assert.ok(late.some((e) => e.do === 'joined'))
  })

  test('removes by connection: the end of an old one leaves its successor', () => {
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

  test('refuses peers beyond its bound, and says so once a second', () => {
    const one = ledger(1)
    const connections = Array.from({ length: 1 + maxOverCapacity + 2 }, (_, i) => info(`${i}`, `p${i}`))
    const effects = one.handle({ type: 'observed', connections }, 0)
    assert.equal(one.size, 1 + maxOverCapacity)
    assert.deepEqual(
      effects.filter((e) => e.do === 'close').map((e) => e.connection),
      ['9', '10'],
    )
    assert.equal(effects.filter((e) => e.do === 'emit-span' && e.span === 'mesh.limit.reached').length, 1)
    const later = one.handle({ type: 'tick' }, 2_000)
    assert.equal(later.filter((e) => e.do === 'close').length, maxOverCapacity, 'who says no hello is closed')
    assert.equal(later.filter((e) => e.do === 'emit-span' && e.span === 'mesh.connection.guest').length, 0)
  })

  test('says goodbye to a peer it has no room for, and has no hello for it', () => {
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

  test('takes nobody in beyond its bound, who dials twice or is dialled neither', () => {
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

  test('closes a link whose frames cannot be read, and no other', () => {
    const one = ledger()
    one.handle({ type: 'observed', connections: [info('1', 'p'), info('2', 'q')] }, 0)
    const effects = one.handle({ type: 'frame.refused', connection: '1', reason: 'too long', flooding: false }, 1)
    assert.deepEqual(
      effects.filter((e) => e.do === 'close').map((e) => ('connection' in e ? e.connection : '')),
      ['1'],
    )
  })

  test('tells of the first bad frame of many, and of no other', () => {
    const one = ledger()
    one.handle({ type: 'observed', connections: [info('1', 'p')] }, 0)
    one.handle({ type: 'frame', connection: '1', frame: { type: 'hello', hello: hello(1, 1) } }, 0)
    const refused = {
      type: 'frame.refused',
      connection: '1',
      reason: 'digest for another peer',
      flooding: false,
    } as const
    const effects = [1, 2, 3].flatMap(() => one.handle(refused, 1))
    assert.equal(effects.filter((e) => e.do === 'emit-span' && e.span === 'mesh.frame.refused').length, 1)
    assert.equal(effects.filter((e) => e.do === 'close').length, 1)
  })

  test('ends what the network would not keep by force, for its reason, and tells of a bound once a second', () => {
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

  /** What a ledger does about connections that gossiped and then stay as they are, looked at every 250 ms. */
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

  test('has gossipsub’s lost stream opened again, and closes the connection when three heals have failed', () => {
    assert.deepEqual(play([info('1', 'p', { gossip: 'missing' })], 30_000), [
      '250 heal 1',
      '3250 heal 1',
      '9250 heal 1',
      '21250 mute, closes: true',
      '21250 close 1',
    ])
  })

  test('does not close a connection of the application for its gossip, and says so', () => {
    const actions = play([info('1', 'p', { gossip: 'missing', foreign: true })], 30_000)
    assert.deepEqual(actions.slice(-1), ['21250 mute, closes: false'])
  })

  test('closes the connection of one peer for its gossip once in five minutes', () => {
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

  test('heals four peers at once, and the others after them', () => {
    const actions = play(
      Array.from({ length: 10 }, (_, index) => info(`${index}`, `p${index}`, { gossip: 'missing' })),
      3_250,
    )
    assert.equal(actions.filter((step) => step.startsWith('250 ')).length, 4)
    assert.equal(actions.length, 4)
  })

  test('runs identify again on a connection that is not identified: four times, spaced twice as far each time', () => {
    assert.deepEqual(play([info('1', 'p', { unidentified: true })], 200_000), [
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
