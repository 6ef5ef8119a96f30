import assert from 'node:assert/strict'
import { beforeEach, suite, test } from 'node:test'
import type { Tell } from '../catalogue/tell.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { ConnectionLedger } from './connection-ledger.ts'
import { DialBack } from './dial-back.ts'
import type { NetworkEffect } from './events.ts'
import type { DialBackResult } from './frames.ts'
import { Owner } from './owner.ts'

leakCheck()

const trace = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }
const who = { meshes: ['m'], role: 'compute' as const, incarnation: 3 }
const listening = ['/ip4/0.0.0.0/udp/4001/quic-v1', '/ip4/0.0.0.0/tcp/4002']
const nonce = 'a'.repeat(32)

suite('dial-back', () => {
  let ledger: ConnectionLedger
  let dialBack: DialBack

  beforeEach(() => {
    const random = seededRandom(1)
    const hello = { ...who, name: 'self', build: 'test' }
    ledger = new ConnectionLedger(new Owner('t', new VirtualClock()), { self: 'self', hello, random })
    dialBack = new DialBack(ledger, random)
  })

  /** A joined link; `observed` is where the peer sees this node. */
  function link(
    peer: string,
    observed?: string,
    direction: 'inbound' | 'outbound' = 'outbound',
    address = '/ip4/198.51.100.7/udp/50000/quic-v1',
  ): void {
    const fact = { id: peer, peer, direction, address, transport: 'quic', gossip: 'none', observed } as const
    ledger.handle({ type: 'observed', connections: [fact] }, 0)
    ledger.handle({ type: 'stream.open', connection: peer }, 0)
    const hello = { ...who, name: peer, build: 'test', counter: 1, trace }
    ledger.handle({ type: 'frame', connection: peer, frame: { type: 'hello', hello } }, 0)
    ledger.handle({ type: 'observed', connections: [fact] }, 0)
  }

  const listen = (hosts: readonly string[], asks = true) =>
    dialBack.handle({ type: 'listening', addresses: listening, hosts, asks }, 0)
  const tick = (now: number) => dialBack.handle({ type: 'tick' }, now)
  const requestIn = (effects: readonly (NetworkEffect | Tell)[]) => {
    for (const effect of effects) {
      if (effect.do === 'send' && effect.frame.type === 'dialback.request') return effect.frame.request
    }
    return undefined
  }
  const outcomeIn = (effects: readonly (NetworkEffect | Tell)[]) =>
    effects.flatMap((one) =>
      one.do === 'tell' && one.span === 'mesh.address.dialback' ? [one.attributes['mesh.dialback.outcome']] : [],
    )
  const answer = (outcome: DialBackResult['outcome'], now: number, errorType = '') => {
    const request = requestIn(tick(now))
    assert.ok(request)
    const result = { nonce: request.nonce, outcome, errorType }
    return dialBack.handle({ type: 'frame', connection: 'seed', frame: { type: 'dialback.result', result } }, now)
  }

  test('behind a NAT: a neighbour is asked for each transport, one at a time, at the port that is listened at', () => {
    link('seed', '/ip4/203.0.113.9/udp/61000/quic-v1')
    listen(['192.168.1.5'])
    const first = requestIn(tick(0))
    assert.deepEqual([first?.transport, first?.port], ['quic', 4001])
    assert.equal(requestIn(tick(10_000)), undefined)
    dialBack.handle(
      {
        type: 'frame',
        connection: 'seed',
        frame: { type: 'dialback.result', result: { nonce: first?.nonce ?? '', outcome: 'reachable', errorType: '' } },
      },
      10_000,
    )
    const second = requestIn(tick(10_001))
    assert.deepEqual([second?.transport, second?.port], ['tcp', 4002])
  })

  test('an address is confirmed once a neighbour reached it, and asked for again half an hour later at most', () => {
    link('seed', '/ip4/203.0.113.9/udp/61000/quic-v1')
    listen(['192.168.1.5'])
    assert.deepEqual(outcomeIn(answer('reachable', 0)), ['reachable'])
    assert.deepEqual(dialBack.observed[0], {
      ...dialBack.observed[0],
      address: '/ip4/203.0.113.9/udp/4001/quic-v1',
      confirmed: true,
    })
    answer('reachable', 6_000)
    let asked = 0
    for (let now = 12_000; now < 600_000; now += 2_000) asked += Number(requestIn(tick(now)) !== undefined)
    assert.equal(asked, 0)
  })

  test('an address that no neighbour reaches stays unconfirmed and says why; it is asked for less and less', () => {
    link('seed', '/ip4/203.0.113.9/udp/61000/quic-v1')
    listen(['192.168.1.5'])
    let asked = 0
    for (let now = 0; now < 3_600_000; now += 2_000) {
      const request = requestIn(tick(now))
      if (request === undefined) continue
      asked++
      const result = { nonce: request.nonce, outcome: 'unreachable', errorType: 'TimeoutError' } as const
      dialBack.handle({ type: 'frame', connection: 'seed', frame: { type: 'dialback.result', result } }, now)
    }
    assert.ok(asked >= 4 && asked <= 20, `asked ${asked} times`)
    assert.deepEqual(
      dialBack.observed.map(({ confirmed }) => confirmed),
      [false, false],
    )
    assert.match(dialBack.observed[0]?.why ?? '', /could not dial it: TimeoutError/)
  })

  test('a neighbour that never answers is given up after 15 s, and judges nothing', () => {
    link('seed', '/ip4/203.0.113.9/udp/61000/quic-v1')
    listen(['192.168.1.5'])
    answer('reachable', 0)
    tick(6_000)
    assert.deepEqual(outcomeIn(tick(15_000)), [])
    assert.deepEqual(outcomeIn(tick(21_000)), ['no-answer'])
    assert.equal(dialBack.observed.filter(({ confirmed }) => confirmed).length, 1)
  })

  for (const [situation, observed, direction, asks] of [
    ['the observed address is one of its own', '/ip4/192.168.1.5/udp/61000/quic-v1', 'outbound', true],
    ['the observed address is loopback', '/ip4/127.0.0.1/udp/61000/quic-v1', 'outbound', true],
    ['the peer dialled', '/ip4/203.0.113.9/udp/61000/quic-v1', 'inbound', true],
    ['configured addresses replace all others', '/ip4/203.0.113.9/udp/61000/quic-v1', 'outbound', false],
  ] as const) {
    test(`nobody is asked when ${situation}`, () => {
      link('seed', observed, direction)
      listen(['192.168.1.5'], asks)
      assert.equal(requestIn(tick(0)), undefined)
      assert.deepEqual(dialBack.observed, [])
    })
  }

  test('a link from before a renumbering still names the old address: nobody is asked for it', () => {
    link('seed', '/ip4/45.79.10.2/udp/61000/quic-v1')
    listen(['45.79.10.2'])
    listen(['45.79.10.22'])
    assert.equal(requestIn(tick(0)), undefined)
    assert.deepEqual(dialBack.observed, [])
  })

  test('an answer from another connection or to another question is ignored', () => {
    link('seed', '/ip4/203.0.113.9/udp/61000/quic-v1')
    listen(['192.168.1.5'])
    const { nonce: asked = '' } = requestIn(tick(0)) ?? {}
    const result = { nonce: asked, outcome: 'reachable', errorType: '' } as const
    assert.deepEqual(
      dialBack.handle({ type: 'frame', connection: 'other', frame: { type: 'dialback.result', result } }, 1),
      [],
    )
    assert.deepEqual(
      dialBack.handle(
        { type: 'frame', connection: 'seed', frame: { type: 'dialback.result', result: { ...result, nonce } } },
        1,
      ),
      [],
    )
    assert.equal(dialBack.observed[0]?.confirmed, false)
  })

  test('a request: the observed IP address of the connection is dialled, at the port of the request', () => {
    link('b', undefined, 'inbound')
    const request = { nonce, transport: 'tcp', port: 4002 } as const
    const effects = dialBack.handle({ type: 'frame', connection: 'b', frame: { type: 'dialback.request', request } }, 0)
    assert.deepEqual(effects, [
      { do: 'dial.back', nonce, peer: 'b', address: '/ip4/198.51.100.7/tcp/4002', limitMs: 5_000 },
    ])
    const [reply, span] = dialBack.handle({ type: 'dialled.back', nonce, errorType: 'ECONNREFUSED' }, 100)
    const result = { nonce, outcome: 'unreachable', errorType: 'ECONNREFUSED' }
    assert.deepEqual(reply, { do: 'send', connection: 'b', frame: { type: 'dialback.result', result } })
    assert.deepEqual(outcomeIn([span as Tell]), ['unreachable'])
  })

  test('requests without end: one dial in four seconds for each peer, the others are refused', () => {
    link('b', undefined, 'inbound')
    let dials = 0
    let refused = 0
    for (let now = 0; now < 40_000; now += 500) {
      const request = { nonce: now.toString(16).padStart(32, '0'), transport: 'quic', port: 4001 } as const
      const effects = dialBack.handle(
        { type: 'frame', connection: 'b', frame: { type: 'dialback.request', request } },
        now,
      )
      if (effects.some((one) => one.do === 'dial.back')) dials++
      refused += outcomeIn(effects).length
      dialBack.handle({ type: 'dialled.back', nonce: request.nonce, errorType: '' }, now)
    }
    assert.equal(dials, 10)
    assert.equal(refused, 70)
  })

  test('over a relay nobody is asked, and nobody is dialled for', () => {
    const relayed = '/ip4/198.51.100.7/tcp/4001/p2p/12D3KooWRelay/p2p-circuit'
    link('b', '/ip4/198.51.100.7/tcp/4001/p2p/12D3KooWRelay/p2p-circuit', 'outbound', relayed)
    listen(['192.168.1.5'])
    assert.equal(requestIn(tick(0)), undefined)
    const request = { nonce, transport: 'tcp', port: 4002 } as const
    const effects = dialBack.handle({ type: 'frame', connection: 'b', frame: { type: 'dialback.request', request } }, 0)
    assert.deepEqual(outcomeIn(effects), ['refused'])
  })

  test('a peer that is no member is not dialled for', () => {
    const request = { nonce, transport: 'tcp', port: 4002 } as const
    assert.deepEqual(
      dialBack.handle({ type: 'frame', connection: 'stranger', frame: { type: 'dialback.request', request } }, 0),
      [],
    )
  })
})
