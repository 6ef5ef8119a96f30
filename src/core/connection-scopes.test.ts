import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { ConnectionScopes, isRefusal, type Place, type Refusal } from './connection-scopes.ts'

leakCheck()

const at = (host: string) => `/ip4/${host}/tcp/1`

function taken(answer: Place | Refusal): Place {
  assert.ok(!isRefusal(answer), `refused by ${JSON.stringify(answer)}`)
  return answer
}

const limitOf = (answer: Place | Refusal | undefined) =>
  answer !== undefined && isRefusal(answer as Place | Refusal) ? (answer as Refusal).limit : undefined

suite('all connections', () => {
  test('inbound, outbound and running dials share the limit; a close frees a place, a second one none', () => {
    const scopes = new ConnectionScopes({ connections: 3 })
    const inbound = taken(scopes.acceptInbound(at('10.0.0.1'), 0))
    taken(scopes.reserveDial(at('10.0.0.2')))
    taken(scopes.reserveDial(at('10.0.0.3')))
    assert.equal(limitOf(scopes.acceptInbound(at('10.0.0.4'), 0)), 'connections')
    assert.equal(limitOf(scopes.reserveDial(at('10.0.0.4'))), 'connections')
    inbound.leave()
    inbound.leave()
    taken(scopes.acceptInbound(at('10.0.0.4'), 0))
    assert.equal(limitOf(scopes.acceptInbound(at('10.0.0.5'), 0)), 'connections')
  })

  test('the connection of a dial takes the place that the dial reserved', () => {
    const scopes = new ConnectionScopes({ connections: 1 })
    const dial = taken(scopes.reserveDial(at('10.0.0.1')))
    taken(scopes.openOutbound(at('10.0.0.1')))
    assert.equal(limitOf(scopes.reserveDial(at('10.0.0.2'))), 'connections')
    dial.leave()
    assert.equal(scopes.usage().connections, 1)
    assert.equal(limitOf(scopes.openOutbound(at('10.0.0.2'))), 'connections', 'one without a reservation')
  })
})

suite('handshakes', () => {
  test('a slow inbound handshake holds a pending place until it ends or its connection closes', () => {
    const scopes = new ConnectionScopes({ pendingInbound: 2 })
    const [first, second] = [1, 2].map((n) => taken(scopes.acceptInbound(at(`10.0.0.${n}`), 0)))
    assert.equal(limitOf(scopes.acceptInbound(at('10.0.0.3'), 0)), 'pendingInbound')
    taken(scopes.reserveDial(at('10.0.0.4')))
    first?.settle()
    second?.leave()
    for (const n of [5, 6]) taken(scopes.acceptInbound(at(`10.0.0.${n}`), 0))
    assert.deepEqual([scopes.usage().pendingInbound, scopes.usage().connections], [2, 3])
  })

  test('running dials have a limit of their own', () => {
    const scopes = new ConnectionScopes({ pendingOutbound: 1 })
    const dial = taken(scopes.reserveDial(at('10.0.0.1')))
    assert.equal(limitOf(scopes.reserveDial(at('10.0.0.2'))), 'pendingOutbound')
    dial.leave()
    taken(scopes.reserveDial(at('10.0.0.2')))
  })
})

suite('one address', () => {
  const cases = [
    ['IPv4', at('10.0.0.1'), '/ip4/10.0.0.1/udp/9/quic-v1', at('10.0.0.2')],
    ['an IPv6 /56', '/ip6/2001:db8:0:1200::1/tcp/1', '/ip6/2001:db8:0:12ff::9/tcp/2', '/ip6/2001:db8:0:1300::1/tcp/1'],
    ['IPv4 in IPv6', at('10.0.0.1'), '/ip6/::ffff:10.0.0.1/tcp/1', '/ip6/::ffff:10.0.0.2/tcp/1'],
  ] as const
  for (const [name, first, same, other] of cases)
    test(`${name}: inbound connections and dials share its limit, others do not`, () => {
      const scopes = new ConnectionScopes({ connectionsPerAddress: 2 })
      taken(scopes.acceptInbound(first, 0))
      taken(scopes.reserveDial(same))
      assert.equal(limitOf(scopes.acceptInbound(same, 0)), 'connectionsPerAddress')
      assert.equal(limitOf(scopes.reserveDial(first)), 'connectionsPerAddress')
      taken(scopes.acceptInbound(other, 0))
    })

  test('the refusal names the address or prefix', () => {
    const scopes = new ConnectionScopes({ connectionsPerAddress: 1 })
    for (const address of [at('10.0.0.1'), '/ip6/2001:db8:0:1200::1/tcp/1']) taken(scopes.acceptInbound(address, 0))
    const names = [at('10.0.0.1'), '/ip6/2001:db8:0:12ab::7/tcp/1'].map((address) => scopes.acceptInbound(address, 0))
    assert.deepEqual(
      names.map((answer) => isRefusal(answer) && answer.address),
      ['10.0.0.1', '2001:db8:0:1200::/56'],
    )
  })

  test('loopback, and peers behind one relay, have no limit of their number and rate', () => {
    const scopes = new ConnectionScopes({ connectionsPerAddress: 1, inboundRate: 1 })
    for (const address of [at('127.0.0.1'), '/ip6/::1/tcp/1', '/ip4/10.0.0.1/tcp/1/p2p/r/p2p-circuit'])
      for (let n = 0; n < 3; n++) taken(scopes.acceptInbound(address, 0))
  })

  test('its inbound connections within any second: closed ones count, refused ones and dials do not', () => {
    const scopes = new ConnectionScopes({ inboundRate: 2 })
    const accept = (now: number, host = '10.0.0.1') => scopes.acceptInbound(at(host), now)
    for (const now of [900, 950]) taken(accept(now)).leave()
    for (const now of [951, 1_500, 1_899]) assert.equal(limitOf(accept(now)), 'inboundRate')
    taken(accept(999, '10.0.0.2'))
    taken(scopes.reserveDial(at('10.0.0.1')))
    taken(accept(1_900))
    assert.equal(limitOf(accept(1_949)), 'inboundRate')
    taken(accept(1_950))
    for (const now of [5_000, 5_001]) taken(accept(now))
  })
})

test('dials whose handshakes go on: each counts once', () => {
  const scopes = new ConnectionScopes({ connections: 4, connectionsPerAddress: 3 })
  const dials = [1, 2, 3].map(() => {
    const dial = taken(scopes.reserveDial(at('10.0.0.1')))
    taken(scopes.openOutbound(at('10.0.0.1')))
    return dial
  })
  assert.equal(limitOf(scopes.reserveDial(at('10.0.0.1'))), 'connectionsPerAddress')
  const last = taken(scopes.reserveDial(at('10.0.0.2')))
  for (const dial of [...dials, last]) dial.leave()
  assert.deepEqual([scopes.usage().pendingOutbound, scopes.usage().connections], [0, 3])
  taken(scopes.reserveDial(at('10.0.0.3')))
})

test('one peer: refused above its limit; its connections leave it when they close', () => {
  const scopes = new ConnectionScopes({ linksPerPeer: 1 })
  const [first, second] = [1, 2].map((n) => taken(scopes.acceptInbound(at(`10.0.0.${n}`), 0)))
  assert.equal(first?.identify('p'), undefined)
  assert.equal(second?.identify('p')?.limit, 'linksPerPeer')
  second?.leave()
  first?.leave()
  assert.equal(taken(scopes.openOutbound(at('10.0.0.3'))).identify('p'), undefined)
})

const caps = { connections: 6, pendingInbound: 3, pendingOutbound: 2, linksPerPeer: 2, connectionsPerAddress: 3 }
const step = fc.record({
  act: fc.constantFrom('accept', 'dial', 'identify', 'settle', 'leave'),
  host: fc.integer({ min: 1, max: 3 }),
  peer: fc.constantFrom('p', 'q', 'r'),
  which: fc.nat(20),
})

test('any order of arrivals, dials and closes: no scope exceeds its limit, and all are empty in the end', (t) =>
  forAll({ t }, [fc.array(step, { maxLength: 80 })], (steps) => {
    const scopes = new ConnectionScopes(caps)
    const places: Place[] = []
    for (const { act, host, peer, which } of steps) {
      const place = places[which % Math.max(1, places.length)]
      if (act === 'accept') keep(scopes.acceptInbound(at(`10.0.0.${host}`), 0), places)
      else if (act === 'dial') runDial(scopes, at(`10.0.0.${host}`), places)
      else if (act === 'identify' && place?.identify(peer) !== undefined) place.leave()
      else if (act === 'settle') place?.settle()
      else if (act === 'leave') place?.leave()
      const { connections, pendingInbound, pendingOutbound, mostPerAddress, mostPerPeer } = scopes.usage()
      assert.ok(connections <= caps.connections && pendingInbound <= caps.pendingInbound)
      assert.ok(pendingOutbound <= caps.pendingOutbound)
      assert.ok(mostPerAddress <= caps.connectionsPerAddress && mostPerPeer <= caps.linksPerPeer)
    }
    for (const place of places) place.leave()
    assert.deepEqual(Object.values(scopes.usage()), [0, 0, 0, 0, 0])
  }))

function keep(answer: Place | Refusal, places: Place[]): void {
  if (!isRefusal(answer)) places.push(answer)
}

/** A dial whose connection opens: it must find its place. */
function runDial(scopes: ConnectionScopes, address: string, places: Place[]): void {
  const dial = scopes.reserveDial(address)
  if (isRefusal(dial)) return
  places.push(taken(scopes.openOutbound(address)))
  dial.leave()
}
