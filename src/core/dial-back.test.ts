import assert from 'node:assert/strict'
import { beforeEach, suite, test } from 'node:test'
import { infoOf, joinLink, makeLedger } from '../testing/core/node-fixture.ts'
import { spansNamed } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import { DialBack } from './dial-back.ts'
import type { ConnectionInfo } from './events.ts'
import type { DialBackFrame, DialBackResult } from './frames.ts'

leakCheck()

const listening = ['/ip4/0.0.0.0/udp/4001/quic-v1', '/ip4/0.0.0.0/tcp/4002']
const nat = '/ip4/203.0.113.9/udp/61000/quic-v1'
const lan = '192.168.1.5'

type Effects = ReturnType<DialBack['handle']>
type Outcome = DialBackResult['outcome']

suite('dial-back', () => {
  let ledger: ConnectionLedger
  let dialBack: DialBack
  let connections: readonly ConnectionInfo[]

  beforeEach(() => {
    const random = seededRandom(1)
    connections = []
    ledger = makeLedger({ random })
    dialBack = new DialBack(ledger, random)
  })

  const observe = () => ledger.handle({ type: 'observed', connections }, 0)
  /** A joined link; the peer observes this node at `observed`. */
  function link(
    peer: string,
    observed?: string,
    direction: 'inbound' | 'outbound' = 'outbound',
    address = '/ip4/198.51.100.7/udp/50000/quic-v1',
  ): void {
    connections = [
      ...connections.filter(({ id }) => id !== peer),
      infoOf({ id: peer, peer, direction, address, observed }),
    ]
    observe()
    joinLink(ledger, peer)
    observe()
  }
  const unlinkAll = () => {
    connections = []
    observe()
  }

  const listen = (hosts: readonly string[] = [lan], canRequest = true) =>
    dialBack.handle({ type: 'listening', addresses: listening, hosts, canRequest }, 0)
  /** A node with private addresses, at which neighbours observe the public address of its NAT. */
  function behindNat(...neighbours: readonly string[]): void {
    for (const peer of neighbours) link(peer, nat)
    listen()
  }
  const tick = (now: number) => dialBack.handle({ type: 'tick' }, now)
  const receive = (connection: string, frame: DialBackFrame, now: number) =>
    dialBack.handle({ type: 'frame', connection, frame }, now)
  const nonceOf = (n: number) => n.toString(16).padStart(32, '0')
  const ask = (connection: string, port: number, now: number) =>
    receive(connection, { type: 'dialback.request', request: { nonce: nonceOf(port), transport: 'tcp', port } }, now)

  const requestIn = (effects: Effects) =>
    effects.flatMap((effect) =>
      effect.do === 'send' && effect.frame.type === 'dialback.request'
        ? [{ connection: effect.connection, ...effect.frame.request }]
        : [],
    )[0]
  const outcomeIn = (effects: Effects) =>
    spansNamed(effects, 'mesh.address.dialback').map(({ attributes }) => attributes['mesh.dialback.outcome'])
  const dialsIn = (effects: Effects) => effects.filter((one) => one.do === 'dial.back')
  const states = () =>
    dialBack.observedAddresses.map(({ address, isConfirmed }) => `${address.split('/')[2]} ${isConfirmed}`)

  /** Answers the request that is due now. */
  const answer = (outcome: Outcome, now: number) => {
    const request = requestIn(tick(now))
    if (request === undefined) return { by: undefined, effects: [] }
    const { connection, nonce } = request
    const effects = receive(connection, { type: 'dialback.result', result: { nonce, outcome } }, now)
    return { by: connection, effects }
  }
  const answersBy = (...times: readonly number[]) => times.map((now) => answer('reachable', now).by)

  test('behind a NAT: requests a dial-back per transport, one at a time, for the listening port', () => {
    behindNat('seed')
    const first = requestIn(tick(0))
    assert.deepEqual([first?.transport, first?.port], ['quic', 4001])
    assert.equal(requestIn(tick(10_000)), undefined)
    receive('seed', { type: 'dialback.result', result: { nonce: first?.nonce ?? '', outcome: 'reachable' } }, 10_000)
    const second = requestIn(tick(10_001))
    assert.deepEqual([second?.transport, second?.port], ['tcp', 4002])
  })

  test('address that a neighbour reached: confirmed, and no new request for at least 10 minutes', () => {
    behindNat('seed')
    assert.deepEqual(outcomeIn(answer('reachable', 0).effects), ['reachable'])
    const [first] = dialBack.observedAddresses
    assert.deepEqual([first?.address, first?.isConfirmed], ['/ip4/203.0.113.9/udp/4001/quic-v1', true])
    answer('reachable', 6_000)
    for (let now = 12_000; now < 600_000; now += 2_000) assert.equal(requestIn(tick(now)), undefined, `at ${now}`)
  })

  test('unreachable address: unconfirmed with a reason, and requests back off', () => {
    behindNat('seed')
    let requests = 0
    for (let now = 0; now < 3_600_000; now += 2_000) requests += Number(answer('unreachable', now).by !== undefined)
    assert.ok(requests >= 4 && requests <= 20, `${requests} requests`)
    assert.deepEqual(states(), ['203.0.113.9 false', '203.0.113.9 false'])
    assert.match(dialBack.observedAddresses[0]?.why ?? '', /could not dial it/)
  })

  test('neighbour without an answer: times out after 15 s, and changes no confirmation', () => {
    behindNat('seed')
    answer('reachable', 0)
    tick(6_000)
    assert.deepEqual(outcomeIn(tick(15_000)), [])
    assert.deepEqual(outcomeIn(tick(21_000)), ['no-answer'])
    assert.equal(dialBack.observedAddresses.filter(({ isConfirmed }) => isConfirmed).length, 1)
  })

  for (const [situation, observed, hosts, canRequest] of [
    ['the observed address is one of its own', '/ip4/192.168.1.5/udp/61000/quic-v1', [[lan]], true],
    ['the observed address is loopback', '/ip4/127.0.0.1/udp/61000/quic-v1', [[lan]], true],
    ['configured addresses replace all others', nat, [[lan]], false],
    ['a link still reports the address from before a renumbering', nat, [['203.0.113.9'], ['203.0.113.22']], true],
  ] as const) {
    test(`no request when ${situation}`, () => {
      link('seed', observed)
      for (const one of hosts) listen(one, canRequest)
      assert.equal(requestIn(tick(0)), undefined)
      assert.deepEqual(dialBack.observedAddresses, [])
    })
  }

  test('result from another connection or with another nonce: ignored', () => {
    behindNat('seed')
    const result = { nonce: requestIn(tick(0))?.nonce ?? '', outcome: 'reachable' } as const
    assert.deepEqual(receive('other', { type: 'dialback.result', result }, 1), [])
    assert.deepEqual(receive('seed', { type: 'dialback.result', result: { ...result, nonce: nonceOf(1) } }, 1), [])
    assert.equal(dialBack.observedAddresses[0]?.isConfirmed, false)
  })

  test('request: the node dials the remote IP address of the connection, at the requested port', () => {
    link('b', undefined, 'inbound')
    const nonce = nonceOf(4002)
    assert.deepEqual(ask('b', 4002, 0), [
      { do: 'dial.back', nonce, peer: 'b', address: '/ip4/198.51.100.7/tcp/4002', limitMs: 3_000 },
    ])
    const effects = dialBack.handle({ type: 'dialled.back', nonce, errorType: 'ECONNREFUSED' }, 100)
    const result = { nonce, outcome: 'unreachable' }
    assert.deepEqual(effects[0], { do: 'send', connection: 'b', frame: { type: 'dialback.result', result } })
    assert.deepEqual(outcomeIn(effects), ['unreachable'])
  })

  test('endless requests: one dial per peer in four seconds, the others refused', () => {
    link('b', undefined, 'inbound')
    const effects = Array.from({ length: 80 }, (_, n) => {
      const asked = ask('b', 5_000 + n, 500 * n)
      dialBack.handle({ type: 'dialled.back', nonce: nonceOf(5_000 + n), errorType: '' }, 500 * n)
      return asked
    }).flat()
    assert.equal(dialsIn(effects).length, 10)
    assert.equal(outcomeIn(effects).length, 40)
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
      dialBack.handle({ type: 'dialled.back', nonce: nonceOf(4_001 + now), errorType: 'ECONNREFUSED' }, now)
      return dials
    }
    for (const [peer, host, now, dials] of [
      ['b', '198.51.100.7', 0, 1],
      ['b', '198.51.100.8', 100, 0],
      ['c', '198.51.100.7', 200, 0],
      ['d', '2001:db8:0:1::7', 300, 1],
      ['e', '2001:db8::1:0:0:0:8', 400, 0],
      ['f', '2001:db8:0:2::7', 500, 1],
      ['b', '198.51.100.8', 4_000, 1],
    ] as const)
      assert.equal(dialOf(peer, host, now), dials, `${peer} at ${host}`)
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
      listen()
      link('b', undefined, direction, address)
      const effects = ask('b', port, 0)
      assert.equal(dialsIn(effects).length, dials)
      if (dials === 0) assert.deepEqual(outcomeIn(effects), ['refused'])
    })
  }

  test('node without outbound links: requests from its dialler, and confirms the host observed there', () => {
    link('b', '/ip4/203.0.113.9/udp/4001/quic-v1', 'inbound')
    listen(['10.0.0.4'])
    assert.deepEqual(answersBy(0), ['b'])
    assert.deepEqual(states(), ['203.0.113.9 true', '203.0.113.9 false'])
  })

  suite('two neighbours', () => {
    test('both observe the address: confirmed once both have reached it', () => {
      behindNat('seed', 'b')
      const first = answersBy(0)
      assert.equal(states()[0], '203.0.113.9 false')
      assert.match(dialBack.observedAddresses[0]?.why ?? '', /another one has to/)
      const peers = [...first, ...answersBy(5_000, 10_000, 15_000)]
      assert.deepEqual(peers.toSorted(), ['b', 'b', 'seed', 'seed'])
      assert.deepEqual(states(), ['203.0.113.9 true', '203.0.113.9 true'])
    })

    test('witnesses on two networks: another network comes before the same one', () => {
      const hosts = { a: 7, b: 7, c: 8 }
      for (const [peer, host] of Object.entries(hosts))
        link(peer, nat, 'outbound', `/ip4/198.51.100.${host}/udp/50000/quic-v1`)
      listen()
      assert.equal(answersBy(0, 5_000, 10_000, 15_000).filter((peer) => peer === 'c').length, 2)
    })

    test('one of them lies: its address is confirmed neither by it alone nor by an earlier result', () => {
      link('liar', '/ip4/192.0.2.66/udp/1/quic-v1')
      listen()
      answersBy(0)
      assert.equal(states()[0], '192.0.2.66 true')
      link('seed', nat)
      for (let now = 5_000; now < 3_600_000; now += 5_000) {
        answersBy(now)
        assert.ok(!states().some((state) => state.endsWith('true')), `${now}`)
      }
    })

    test('address of a single witness: stays confirmed during the request to a second neighbour', () => {
      behindNat('seed')
      answersBy(0, 5_000)
      link('b', nat)
      assert.deepEqual(answersBy(10_000), ['b'])
      assert.deepEqual(states(), ['203.0.113.9 true', '203.0.113.9 true'])
    })

    test('one of them leaves: one more dial-back by the other confirms the address', () => {
      behindNat('seed', 'b')
      answersBy(0)
      unlinkAll()
      link('seed', nat)
      answersBy(5_000, 10_000)
      assert.deepEqual(states(), ['203.0.113.9 true', '203.0.113.9 true'])
    })

    test('one observes a private address: the other alone confirms the public one, the private one needs both', () => {
      link('near', '/ip4/192.168.1.1/udp/61000/quic-v1')
      behindNat('seed')
      answersBy(0, 5_000, 10_000, 15_000)
      const expected = ['192.168.1.1 false', '192.168.1.1 false', '203.0.113.9 true', '203.0.113.9 true']
      assert.deepEqual(states().toSorted(), expected)
    })
  })

  test('NAT with a new address: the old one is dropped once links observe only the new one', () => {
    behindNat('seed')
    answersBy(0)
    unlinkAll()
    tick(1_000)
    assert.equal(states()[0], '203.0.113.9 true')
    link('seed', '/ip4/203.0.113.77/udp/61000/quic-v1')
    tick(2_000)
    assert.deepEqual(states(), ['203.0.113.77 false', '203.0.113.77 false'])
  })

  test('relayed link: no request and no dial', () => {
    const relayed = '/ip4/198.51.100.7/tcp/4001/p2p/12D3KooWRelay/p2p-circuit'
    link('b', relayed, 'outbound', relayed)
    listen()
    assert.equal(requestIn(tick(0)), undefined)
    assert.deepEqual(outcomeIn(ask('b', 4002, 0)), ['refused'])
  })

  test('request of a non-member: no dial', () => {
    assert.deepEqual(ask('stranger', 4002, 0), [])
  })
})
