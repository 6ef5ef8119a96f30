import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { SpanName } from '../catalogue/spans.ts'
import { helloOf, infoOf, makeLedger } from '../testing/core/node-fixture.ts'
import { TwoEnds } from '../testing/core/two-ends.ts'
import { spansNamed } from '../testing/core/view-fixture.ts'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { ConnectionInfo } from './events.ts'
import type { Hello } from './frames.ts'
import type { LedgerEffect } from './ledger-events.ts'
import { limits } from './limits.ts'
import { maxOverLimit } from './peer-records.ts'

leakCheck()

const spansOf = (ends: TwoEnds, name: SpanName) => ends.spans.filter(({ effect }) => effect.span === name)
const tracesOf = (ends: TwoEnds, name: SpanName) =>
  spansOf(ends, name).map(({ effect }) => (effect.parent ?? effect.ref)?.traceId)
const endsOf = (effects: readonly { readonly end: string }[]) => effects.map(({ end }) => end).toSorted()
const valuesOf = (ends: TwoEnds, name: SpanName, attribute: string) =>
  spansOf(ends, name).map(({ effect }) => (effect.attributes as Readonly<Record<string, unknown>>)[attribute])

/** Two ends of a link that `dialler` dialled. */
function linkedBy(dialler: 'a' | 'b'): TwoEnds {
  const ends = new TwoEnds(seededRandom(1))
  ends.dial(dialler)
  ends.settle(200)
  return ends
}

/** Links that the ledger must have by its counts: those opened less those closed. It has to have as many. */
function heldBy(ledger: ConnectionLedger): number {
  const { opened, closed } = ledger.counts
  const held = opened - Object.values(closed).reduce((sum, count) => sum + count, 0)
  assert.equal([...ledger.records()].flatMap(({ links }) => links).length, held)
  return held
}

suite('a link', () => {
  test('opens in one trace for both ends, under the dialler’s opened span', () => {
    const ends = linkedBy('a')
    const [root, other] = ['a', 'b'].map(
      (end) => spansOf(ends, 'mesh.connection.opened').find((one) => one.end === end)?.effect,
    )
    assert.equal(root?.parent, null)
    assert.deepEqual(other?.parent, root?.ref)
    assert.deepEqual(tracesOf(ends, 'mesh.hello.received'), [root?.ref?.traceId, root?.ref?.traceId])
    assert.deepEqual(valuesOf(ends, 'mesh.hello.received', 'mesh.link.id'), ['a.1.1', 'a.1.1'])
  })

  test('closes in one trace for both ends, linked to the opened span', () => {
    const ends = linkedBy('a')
    const [openedTrace] = tracesOf(ends, 'mesh.connection.opened')
    ends.stop('a')
    ends.settle(200)
    const [trace] = tracesOf(ends, 'mesh.goodbye.sent')
    assert.deepEqual(tracesOf(ends, 'mesh.goodbye.received'), [trace])
    assert.deepEqual(tracesOf(ends, 'mesh.connection.closed'), [trace, trace])
    assert.deepEqual(valuesOf(ends, 'mesh.connection.closed', 'mesh.close.reason'), ['stopping', 'stopping'])
    const links = spansOf(ends, 'mesh.connection.closed').map(({ effect }) => effect.links?.[0]?.traceId)
    assert.deepEqual(links, [openedTrace, openedTrace])
  })

  test('with crossed goodbyes closes in one trace, that of the lower peer id', () => {
    const ends = linkedBy('b')
    ends.stop('a', 'b')
    ends.settle(200)
    const [byA, byB] = spansOf(ends, 'mesh.goodbye.sent')
    assert.deepEqual([byA?.end, byB?.end], ['a', 'b'])
    const trace = byA?.effect.ref?.traceId
    for (const name of ['mesh.goodbye.received', 'mesh.connection.closed'] as const) {
      assert.deepEqual(endsOf(spansOf(ends, name)), ['a', 'b'], name)
      assert.deepEqual(tracesOf(ends, name), [trace, trace], name)
    }
    const received = spansOf(ends, 'mesh.goodbye.received').find(({ end }) => end === 'a')?.effect
    assert.equal(received?.links?.at(-1)?.spanId, byB?.effect.ref?.spanId, 'it links to the other goodbye')
    const left = ends.effects.filter(({ effect }) => effect.do === 'left')
    assert.deepEqual(endsOf(left), ['a', 'b'], 'each learns that the other stops')
  })

  test('of two crossed dials: both ends keep the one dialled by the lower peer id', () => {
    const ends = new TwoEnds(seededRandom(3))
    ends.dial('a')
    ends.dial('b')
    ends.settle(2_000)
    assert.deepEqual(ends.openConnections(), ['c1'], 'the link dialled by the lower peer id stays')
    assert.equal(spansOf(ends, 'mesh.goodbye.sent').length, 1, 'one goodbye, so that the close is one trace')
    assert.ok(spansOf(ends, 'mesh.connection.superseded').some(({ end }) => end === 'a'))
  })

  test('to a foreign mesh: both ends refuse it and emit why', () => {
    const ends = new TwoEnds(seededRandom(4), { a: 'm', b: 'other' })
    ends.dial('a')
    ends.settle(200)
    assert.deepEqual(ends.openConnections(), [])
    assert.deepEqual(endsOf(spansOf(ends, 'mesh.link.refused')), ['a', 'b'], 'each emits it once')
    assert.ok(ends.effects.every(({ effect }) => effect.do !== 'joined'))
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

test('any order of dials, snapshots and frames: both ends keep the same single link', async (t) => {
  const steps = fc.array(fc.constantFrom('dial a', 'dial b', 'see a', 'see b', 'frame'), {
    minLength: 1,
    maxLength: 40,
  })
  await forAll({ t, numRuns: 300 }, [steps, fc.integer()], (order, seed) => {
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
    for (const one of Object.values(ends.ledgers)) assert.equal(heldBy(one), dials === 0 ? 0 : 1)
  })
})

suite('the ledger', () => {
  const info = (id: string, peer = 'p', changes: Partial<ConnectionInfo> = {}) => infoOf({ id, peer, ...changes })
  const ledger = (connectionsHigh: number = limits.peers) => makeLedger({ connectionsHigh })
  const observe = (one: ConnectionLedger, now: number, ...connections: ConnectionInfo[]) =>
    one.handle({ type: 'observed', connections }, now)
  const hear = (one: ConnectionLedger, connection: string, now: number, changes: Partial<Hello> = {}) =>
    one.handle({ type: 'frame', connection, frame: { type: 'hello', hello: helloOf(changes) } }, now)
  const closesIn = (effects: readonly LedgerEffect[]) =>
    effects.flatMap((effect) =>
      effect.do === 'close' ? [`${effect.abort ? 'abort' : 'close'} ${effect.connection}`] : [],
    )

  test('link to an earlier incarnation: aborted at once, whichever end dialled', () => {
    const one = ledger()
    observe(one, 0, info('old'))
    hear(one, 'old', 0, { incarnation: 5, counter: 9 })
    observe(one, 2_000, info('old'), info('new'))
    assert.deepEqual(closesIn(hear(one, 'new', 2_000, { incarnation: 6 })), ['abort old'])
    assert.equal(one.joinedLink('p')?.connection, 'new')
  })

  test('a full node, and a further peer that speaks no link protocol: closed, not a guest', () => {
    const one = ledger(1)
    observe(one, 0, info('a', 'first'), info('b', 'second'))
    assert.deepEqual(closesIn(one.handle({ type: 'stream.absent', connection: 'b' }, 10)), ['close b'])
    assert.equal(one.find('b')?.[1].kind, 'unsettled')
  })

  test('silent link: probed, and aborted within 4 s without an answer', () => {
    const one = ledger()
    observe(one, 0, info('c'))
    hear(one, 'c', 0)
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
    observe(one, 0, info('c'))
    hear(one, 'c', 0)
    one.handle({ type: 'slept', ms: 45_000 }, 45_000)
    assert.equal(one.handle({ type: 'tick' }, 45_100).length, 0)
  })

  test('peer without a hello: a guest, and a member after a late hello', () => {
    const one = ledger()
    observe(one, 0, info('c'))
    assert.equal(spansNamed(one.handle({ type: 'tick' }, 6_000), 'mesh.connection.guest').length, 1)
    assert.ok(hear(one, 'c', 7_000).some((e) => e.do === 'joined'))
  })

  test('old connection closes: its successor stays', () => {
    const one = ledger()
    observe(one, 0, info('old'))
    observe(one, 10, info('old'), info('new'))
    assert.ok(!observe(one, 20, info('new')).some((e) => e.do === 'disconnected'))
    assert.equal(one.size, 1)
  })

  test('peers above the limit: refused, with one span a second', () => {
    const one = ledger(1)
    const effects = observe(one, 0, ...Array.from({ length: 1 + maxOverLimit + 2 }, (_, i) => info(`${i}`, `p${i}`)))
    assert.equal(one.size, 1 + maxOverLimit)
    assert.deepEqual(closesIn(effects), ['close 9', 'close 10'])
    assert.equal(spansNamed(effects, 'mesh.limit.reached').length, 1)
    const later = one.handle({ type: 'tick' }, 2_000)
    assert.equal(closesIn(later).length, maxOverLimit, 'peers without a hello are closed')
    assert.deepEqual(spansNamed(later, 'mesh.connection.guest'), [])
  })

  test('hello of a peer above the limit: answered with a goodbye, not with a hello', () => {
    const one = ledger(1)
    observe(one, 0, info('1'), info('2', 'q'))
    const effects = hear(one, '2', 10)
    const sent = effects.flatMap((e) => (e.do === 'send' ? [e.frame] : []))
    const answers = sent.map((frame) => [frame.type, frame.type === 'goodbye' && frame.reason])
    assert.deepEqual(answers, [['goodbye', 'limit']])
    assert.deepEqual(closesIn(effects), ['close 2'])
    assert.notEqual(one.find('2')?.[1].kind, 'member')
  })

  test('second connection of a peer above the limit, either direction: refused too', () => {
    const one = ledger(1)
    const first = [info('1'), info('2', 'q')]
    observe(one, 0, ...first)
    const effects = observe(one, 1, ...first, info('3', 'q', { direction: 'outbound' }), info('4', 'q'))
    assert.deepEqual(closesIn(effects), ['close 3'])
    hear(one, '4', 2, { counter: 2 })
    assert.equal(one.joinedLink('q'), undefined)
  })

  test('refused frames: the first one closes its link and no other, with one span', () => {
    const one = ledger()
    observe(one, 0, info('1'), info('2', 'q'))
    hear(one, '1', 0)
    const refused = { type: 'frame.refused', connection: '1', reason: 'too long', isFlooding: false } as const
    const effects = [1, 2, 3].flatMap(() => one.handle(refused, 1))
    assert.equal(spansNamed(effects, 'mesh.frame.refused').length, 1)
    assert.deepEqual(closesIn(effects), ['abort 1'])
  })

  test('rejected connections: aborted with the given reason, and one limit span a second', () => {
    const one = ledger()
    observe(one, 0, info('1'), info('2', 'q'), info('3', 'r'))
    const effects = (['1 limit', '1 limit', '2 limit', '3 silent'] as const).flatMap((row, index) => {
      const [connection, reason] = row.split(' ') as [string, 'limit' | 'silent']
      return one.handle({ type: 'connection.rejected', connection, reason }, 1 + index)
    })
    assert.deepEqual(closesIn(effects), ['abort 1', 'abort 2', 'abort 3'])
    const reached = spansNamed(effects, 'mesh.limit.reached').map(({ attributes }) => attributes)
    const limit = { 'mesh.limit.name': 'linkOutBytes', 'mesh.limit.value': limits.linkOutBytes, 'mesh.limit.total': 1 }
    assert.deepEqual(reached, [{ ...limit, 'mesh.limit.action': 'closed', 'mesh.peer.id': 'p' }])
    const closed = spansNamed(observe(one, 5), 'mesh.connection.closed')
    const reasons = closed.map(({ attributes }) => attributes['mesh.close.reason'])
    assert.deepEqual(reasons, ['limit', 'limit', 'silent'])
  })

  /** The actions of a ledger on connections with gossip that then stay unchanged, with a snapshot every 250 ms. */
  const play = (connections: readonly ConnectionInfo[], forMs: number, one = ledger(), from = 0) => {
    const actions: string[] = []
    const before = connections.map((info): ConnectionInfo => ({ ...info, gossip: 'open' }))
    observe(one, from - 1, ...before)
    for (let now = from; now < from + forMs; now += 250) {
      for (const effect of observe(one, now, ...connections)) {
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

  test('guest that dials, crashes and dials again: its new connection supersedes the first at once', () => {
    const one = ledger()
    const [first, second] = [info('1', 'p', { direction: 'inbound' }), info('2', 'p', { direction: 'inbound' })]
    observe(one, 0, first)
    const guests = spansNamed(one.handle({ type: 'stream.absent', connection: '1' }, 100), 'mesh.connection.guest')
    assert.equal(guests.length, 1)
    assert.deepEqual(closesIn(observe(one, 1_000, first, second)), ['abort 1'])
  })

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
      const connections = [info(id, 'p', { gossip: 'missing' })]
      const actions = play(connections, 30_000, one, from)
      observe(one, from + 30_000)
      return actions.find((action) => action.includes('mute'))?.endsWith('true')
    }
    assert.deepEqual([muteFor('1', 0), muteFor('2', 60_000), muteFor('3', 400_000)], [true, false, true])
  })

  test('guest that never subscribes: its connection closes once, and the next stays, without a span', () => {
    const one = ledger()
    const actionsOf = (id: string, from: number) => {
      const connection = info(id, 'p', { gossip: 'no-subscription' })
      observe(one, from, connection)
      one.handle({ type: 'stream.absent', connection: id }, from)
      const actions: string[] = []
      for (let now = from; now < from + 30_000; now += 250) {
        const effects = observe(one, now, connection)
        actions.push(...closesIn(effects), ...spansNamed(effects, 'mesh.gossip.mute').map(({ span }) => span))
      }
      observe(one, from + 30_000)
      return actions
    }
    assert.deepEqual(actionsOf('1', 0), ['close 1', 'mesh.gossip.mute'])
    assert.deepEqual(actionsOf('2', 60_000), [])
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
