import assert from 'node:assert/strict'
import { beforeEach, suite, test } from 'node:test'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { ConnectionLedger } from './connection-ledger.ts'
import { DialBack } from './dial-back.ts'
import type { ConnectionInfo, NetworkEffect } from './events.ts'
import type { DialBackResult } from './frames.ts'
import { Owner } from './owner.ts'

leakCheck()

const trace = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }
const identity = { meshes: ['m'], role: 'compute' as const, incarnation: 3 }
const listening = ['/ip4/0.0.0.0/udp/4001/quic-v1', '/ip4/0.0.0.0/tcp/4002']
const nonce = 'a'.repeat(32)

suite('dial-back', () => {
  let ledger: ConnectionLedger
  let dialBack: DialBack
  let connections: readonly ConnectionInfo[]

  beforeEach(() => {
    const random = seededRandom(1)
    connections = []
    const hello = { ...identity, name: 'self', build: 'test' }
    ledger = new ConnectionLedger(new Owner('t', new VirtualClock()), { self: 'self', hello, random })
    dialBack = new DialBack(ledger, random)
  })

  /** A joined link; the peer observes this node at `observed`. */
  function link(
    peer: string,
    observed?: string,
    direction: 'inbound' | 'outbound' = 'outbound',
    address = '/ip4/198.51.100.7/udp/50000/quic-v1',
  ): void {
    const info = { id: peer, peer, direction, address, transport: 'quic', gossip: 'none', observed } as const
    connections = [...connections.filter(({ id }) => id !== peer), info]
    ledger.handle({ type: 'observed', connections }, 0)
    ledger.handle({ type: 'stream.open', connection: peer }, 0)
    const hello = { ...identity, name: peer, build: 'test', counter: 1, trace }
    ledger.handle({ type: 'frame', connection: peer, frame: { type: 'hello', hello } }, 0)
    ledger.handle({ type: 'observed', connections }, 0)
  }

  const listen = (hosts: readonly string[], canRequest = true) =>
    dialBack.handle({ type: 'listening', addresses: listening, hosts, canRequest }, 0)
  const tick = (now: number) => dialBack.handle({ type: 'tick' }, now)
  const requestIn = (effects: readonly (NetworkEffect | SpanEffect)[]) => {
    for (const effect of effects) {
      if (effect.do === 'send' && effect.frame.type === 'dialback.request') return effect.frame.request
    }
    return undefined
  }
  const outcomeIn = (effects: readonly (NetworkEffect | SpanEffect)[]) =>
    effects.flatMap((one) =>
      one.do === 'emit-span' && one.span === 'mesh.address.dialback' ? [one.attributes['mesh.dialback.outcome']] : [],
    )
  /** Answers the request that is due now; returns the id of the neighbour, or undefined without a request. */
  const answerBy = (outcome: DialBackResult['outcome'], now: number): string | undefined => {
    for (const one of tick(now)) {
      if (one.do !== 'send' || one.frame.type !== 'dialback.request') continue
      const { connection, frame } = one
      const result = { nonce: frame.request.nonce, outcome }
      dialBack.handle({ type: 'frame', connection, frame: { type: 'dialback.result', result } }, now)
      return connection
    }
    return undefined
  }
  const answer = (outcome: DialBackResult['outcome'], now: number) => {
    const request = requestIn(tick(now))
    assert.ok(request)
    const result = { nonce: request.nonce, outcome }
    return dialBack.handle({ type: 'frame', connection: 'seed', frame: { type: 'dialback.result', result } }, now)
  }
  const unlinkAll = () => {
    connections = []
    ledger.handle({ type: 'observed', connections }, 0)
  }
  const ask = (connection: string, port: number, now: number) => {
    const request = { nonce: port.toString(16).padStart(32, '0'), transport: 'tcp', port } as const
    return dialBack.handle({ type: 'frame', connection, frame: { type: 'dialback.request', request } }, now)
  }
  const dialsIn = (effects: readonly (NetworkEffect | SpanEffect)[]) => effects.filter((one) => one.do === 'dial.back')
  const states = () =>
    dialBack.observedAddresses.map(({ address, isConfirmed: confirmed }) => `${address.split('/')[2]} ${confirmed}`)

  test('behind a NAT: requests a dial-back per transport, one at a time, for the listening port', () => {
    link('seed', '/ip4/203.0.113.9/udp/61000/quic-v1')
    listen(['192.168.1.5'])
    const first = requestIn(tick(0))
    assert.deepEqual([first?.transport, first?.port], ['quic', 4001])
    assert.equal(requestIn(tick(10_000)), undefined)
    dialBack.handle(
      {
        type: 'frame',
        connection: 'seed',
        frame: { type: 'dialback.result', result: { nonce: first?.nonce ?? '', outcome: 'reachable' } },
      },
      10_000,
    )
    const second = requestIn(tick(10_001))
    assert.deepEqual([second?.transport, second?.port], ['tcp', 4002])
  })

  test('address that a neighbour reached: confirmed, and no new request for at least 10 minutes', () => {
    link('seed', '/ip4/203.0.113.9/udp/61000/quic-v1')
    listen(['192.168.1.5'])
    assert.deepEqual(outcomeIn(answer('reachable', 0)), ['reachable'])
    assert.deepEqual(dialBack.observedAddresses[0], {
      ...dialBack.observedAddresses[0],
      address: '/ip4/203.0.113.9/udp/4001/quic-v1',
      isConfirmed: true,
    })
    answer('reachable', 6_000)
    let peers = 0
    for (let now = 12_000; now < 600_000; now += 2_000) peers += Number(requestIn(tick(now)) !== undefined)
    assert.equal(peers, 0)
  })

  test('unreachable address: unconfirmed with a reason, and requests back off', () => {
    link('seed', '/ip4/203.0.113.9/udp/61000/quic-v1')
    listen(['192.168.1.5'])
    let peers = 0
    for (let now = 0; now < 3_600_000; now += 2_000) {
      const request = requestIn(tick(now))
      if (request === undefined) continue
      peers++
      const result = { nonce: request.nonce, outcome: 'unreachable' } as const
      dialBack.handle({ type: 'frame', connection: 'seed', frame: { type: 'dialback.result', result } }, now)
    }
    assert.ok(peers >= 4 && peers <= 20, `${peers} requests`)
    assert.deepEqual(
      dialBack.observedAddresses.map(({ isConfirmed: confirmed }) => confirmed),
      [false, false],
    )
    assert.match(dialBack.observedAddresses[0]?.why ?? '', /could not dial it/)
  })

  test('neighbour without an answer: times out after 15 s, and changes no confirmation', () => {
    link('seed', '/ip4/203.0.113.9/udp/61000/quic-v1')
    listen(['192.168.1.5'])
    answer('reachable', 0)
    tick(6_000)
    assert.deepEqual(outcomeIn(tick(15_000)), [])
    assert.deepEqual(outcomeIn(tick(21_000)), ['no-answer'])
    assert.equal(dialBack.observedAddresses.filter(({ isConfirmed: confirmed }) => confirmed).length, 1)
  })

  for (const [situation, observed, direction, canRequest] of [
    ['the observed address is one of its own', '/ip4/192.168.1.5/udp/61000/quic-v1', 'outbound', true],
    ['the observed address is loopback', '/ip4/127.0.0.1/udp/61000/quic-v1', 'outbound', true],
    ['configured addresses replace all others', '/ip4/203.0.113.9/udp/61000/quic-v1', 'outbound', false],
  ] as const) {
    test(`no request when ${situation}`, () => {
      link('seed', observed, direction)
      listen(['192.168.1.5'], canRequest)
      assert.equal(requestIn(tick(0)), undefined)
      assert.deepEqual(dialBack.observedAddresses, [])
    })
  }

  test('link from before a renumbering that still reports the old address: no request', () => {
    link('seed', '/ip4/45.79.10.2/udp/61000/quic-v1')
    listen(['45.79.10.2'])
    listen(['45.79.10.22'])
    assert.equal(requestIn(tick(0)), undefined)
    assert.deepEqual(dialBack.observedAddresses, [])
  })

  test('result from another connection or with another nonce: ignored', () => {
    link('seed', '/ip4/203.0.113.9/udp/61000/quic-v1')
    listen(['192.168.1.5'])
    const { nonce: requestNonce = '' } = requestIn(tick(0)) ?? {}
    const result = { nonce: requestNonce, outcome: 'reachable' } as const
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
    assert.equal(dialBack.observedAddresses[0]?.isConfirmed, false)
  })

  test('request: the node dials the remote IP address of the connection, at the requested port', () => {
    link('b', undefined, 'inbound')
    const request = { nonce, transport: 'tcp', port: 4002 } as const
    const effects = dialBack.handle({ type: 'frame', connection: 'b', frame: { type: 'dialback.request', request } }, 0)
    assert.deepEqual(effects, [
      { do: 'dial.back', nonce, peer: 'b', address: '/ip4/198.51.100.7/tcp/4002', limitMs: 3_000 },
    ])
    const [reply, span] = dialBack.handle({ type: 'dialled.back', nonce, errorType: 'ECONNREFUSED' }, 100)
    const result = { nonce, outcome: 'unreachable' }
    assert.deepEqual(reply, { do: 'send', connection: 'b', frame: { type: 'dialback.result', result } })
    assert.deepEqual(outcomeIn([span as SpanEffect]), ['unreachable'])
  })

  test('endless requests: one dial per peer in four seconds, the others refused', () => {
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
    assert.equal(refused, 40)
  })

  test('190 refused requests within a millisecond: one span and one frame', () => {
    link('b', undefined, 'inbound')
    const effects = Array.from({ length: 190 }, (_, n) => ask('b', 5_000 + n, n === 0 ? 0 : 1)).flat()
    assert.equal(dialsIn(effects).length, 1)
    assert.equal(effects.length, 3)
  })

  test('reconnected peer, or another peer at its host or IPv6 network: no further dial', () => {
    const dialOf = (peer: string, host: string, now: number) => {
      unlinkAll()
      link(peer, undefined, 'inbound', `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/udp/5000/quic-v1`)
      const dials = dialsIn(ask(peer, 4_001 + now, now)).length
      const dialNonce = (4_001 + now).toString(16).padStart(32, '0')
      dialBack.handle({ type: 'dialled.back', nonce: dialNonce, errorType: 'ECONNREFUSED' }, now)
      return dials
    }
    assert.equal(dialOf('b', '198.51.100.7', 0), 1)
    assert.equal(dialOf('b', '198.51.100.8', 100), 0)
    assert.equal(dialOf('c', '198.51.100.7', 200), 0)
    assert.equal(dialOf('d', '2001:db8:0:1::7', 300), 1)
    assert.equal(dialOf('e', '2001:db8::1:0:0:0:8', 400), 0)
    assert.equal(dialOf('f', '2001:db8:0:2::7', 500), 1)
    assert.equal(dialOf('b', '198.51.100.8', 4_000), 1)
    let dials = 0
    for (let n = 0; n < 100; n++) dials += dialOf(`p${n}`, `198.51.100.${100 + n}`, 20_000 + n)
    assert.equal(dials, 10)
  })

  for (const [what, address, direction, port, dials] of [
    ['an own host, which a proxy on this machine shows', '/ip4/192.168.1.5/udp/5/quic-v1', 'inbound', 5_000, 0],
    ['a privileged port', '/ip4/198.51.100.7/udp/443/quic-v1', 'inbound', 443, 0],
    ['a privileged port at which this node dialled the peer', '/ip4/198.51.100.7/udp/443/quic-v1', 'outbound', 443, 1],
    ['another privileged port of a peer that it dialled', '/ip4/198.51.100.7/udp/443/quic-v1', 'outbound', 22, 0],
  ] as const) {
    test(`${what}: ${dials === 0 ? 'not ' : ''}dialled`, () => {
      listen(['192.168.1.5'])
      link('b', undefined, direction, address)
      const effects = ask('b', port, 0)
      assert.equal(dialsIn(effects).length, dials)
      if (dials === 0) assert.deepEqual(outcomeIn(effects), ['refused'])
    })
  }

  test('node without outbound links: requests from its dialler, and confirms the host observed there', () => {
    link('b', '/ip4/203.0.113.9/udp/4001/quic-v1', 'inbound')
    listen(['10.0.0.4'])
    assert.equal(answerBy('reachable', 0), 'b')
    assert.deepEqual(states(), ['203.0.113.9 true', '203.0.113.9 false'])
  })

  suite('two neighbours', () => {
    const [nat, otherHost] = ['/ip4/203.0.113.9/udp/61000/quic-v1', '/ip4/192.0.2.66/udp/1/quic-v1']

    test('both observe the address: confirmed once both have reached it', () => {
      link('seed', nat)
      link('b', nat)
      listen(['192.168.1.5'])
      const first = answerBy('reachable', 0)
      assert.equal(states()[0], '203.0.113.9 false')
      assert.match(dialBack.observedAddresses[0]?.why ?? '', /another one has to/)
      const peers = [first, answerBy('reachable', 5_000), answerBy('reachable', 10_000), answerBy('reachable', 15_000)]
      assert.deepEqual(peers.toSorted(), ['b', 'b', 'seed', 'seed'])
      assert.deepEqual(states(), ['203.0.113.9 true', '203.0.113.9 true'])
    })

    test('witnesses on two networks: another network comes before the same one', () => {
      for (const [peer, host] of [
        ['a', 7],
        ['b', 7],
        ['c', 8],
      ] as const)
        link(peer, nat, 'outbound', `/ip4/198.51.100.${host}/udp/50000/quic-v1`)
      listen(['192.168.1.5'])
      const peers = [0, 5_000, 10_000, 15_000].map((now) => answerBy('reachable', now))
      assert.equal(peers.filter((peer) => peer === 'c').length, 2)
    })

    test('one of them lies: its address is confirmed neither by it alone nor by an earlier result', () => {
      link('liar', otherHost)
      listen(['192.168.1.5'])
      answerBy('reachable', 0)
      assert.equal(states()[0], '192.0.2.66 true')
      link('seed', nat)
      for (let now = 5_000; now < 3_600_000; now += 5_000) {
        answerBy('reachable', now)
        assert.ok(
          dialBack.observedAddresses.every(({ isConfirmed: confirmed }) => !confirmed),
          `${now}`,
        )
      }
    })

    test('address of a single witness: stays confirmed during the request to a second neighbour', () => {
      link('seed', nat)
      listen(['192.168.1.5'])
      answerBy('reachable', 0)
      answerBy('reachable', 5_000)
      link('b', nat)
      assert.equal(answerBy('reachable', 10_000), 'b')
      assert.deepEqual(states(), ['203.0.113.9 true', '203.0.113.9 true'])
    })

    test('one of them leaves: one more dial-back by the other confirms the address', () => {
      link('seed', nat)
      link('b', nat)
      listen(['192.168.1.5'])
      answerBy('reachable', 0)
      unlinkAll()
      link('seed', nat)
      answerBy('reachable', 5_000)
      answerBy('reachable', 10_000)
      assert.deepEqual(states(), ['203.0.113.9 true', '203.0.113.9 true'])
    })

    test('one observes a private address: the other alone confirms the public one, the private one needs both', () => {
      link('near', '/ip4/192.168.1.1/udp/61000/quic-v1')
      link('seed', nat)
      listen(['192.168.1.5'])
      for (const now of [0, 5_000, 10_000, 15_000]) answerBy('reachable', now)
      assert.deepEqual(states().toSorted(), [
        '192.168.1.1 false',
        '192.168.1.1 false',
        '203.0.113.9 true',
        '203.0.113.9 true',
      ])
    })
  })

  test('NAT with a new address: the old one is dropped once links observe only the new one', () => {
    link('seed', '/ip4/203.0.113.9/udp/61000/quic-v1')
    listen(['192.168.1.5'])
    answerBy('reachable', 0)
    unlinkAll()
    tick(1_000)
    assert.equal(states()[0], '203.0.113.9 true')
    link('seed', '/ip4/203.0.113.77/udp/61000/quic-v1')
    tick(2_000)
    assert.deepEqual(states(), ['203.0.113.77 false', '203.0.113.77 false'])
  })

  test('relayed link: no request and no dial', () => {
    const relayed = '/ip4/198.51.100.7/tcp/4001/p2p/12D3KooWRelay/p2p-circuit'
    link('b', '/ip4/198.51.100.7/tcp/4001/p2p/12D3KooWRelay/p2p-circuit', 'outbound', relayed)
    listen(['192.168.1.5'])
    assert.equal(requestIn(tick(0)), undefined)
    const request = { nonce, transport: 'tcp', port: 4002 } as const
    const effects = dialBack.handle({ type: 'frame', connection: 'b', frame: { type: 'dialback.request', request } }, 0)
    assert.deepEqual(outcomeIn(effects), ['refused'])
  })

  test('request of a non-member: no dial', () => {
    const request = { nonce, transport: 'tcp', port: 4002 } as const
    assert.deepEqual(
      dialBack.handle({ type: 'frame', connection: 'stranger', frame: { type: 'dialback.request', request } }, 0),
      [],
    )
  })
})
