import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { parseAddress } from './address.ts'
import { type AddressInputs, announcedAddresses, type NetworkInterface, ownAddresses } from './own-addresses.ts'

leakCheck()

const both = ['/ip4/0.0.0.0/udp/4001/quic-v1', '/ip4/0.0.0.0/tcp/4001']
const bothFamilies = [...both, '/ip6/::/udp/4001/quic-v1', '/ip6/::/tcp/4001']
const lo: NetworkInterface[] = [
  { name: 'lo', address: '127.0.0.1', isBridge: false },
  { name: 'lo', address: '::1', isBridge: false },
]
const on = (name: string, ...addresses: string[]): NetworkInterface[] =>
  addresses.map((address) => ({ name, address, isBridge: /^(docker|br-|veth)/.test(name) }))

function inputs(changes: Partial<AddressInputs>): AddressInputs {
  const nothing = { announce: [], append: [], observed: [], linkSources: [], routeSources: [] }
  return { listening: both, interfaces: lo, ...nothing, permits: () => true, ...changes }
}

const announcedOf = (changes: Partial<AddressInputs>) => announcedAddresses(ownAddresses(inputs(changes)))
const reasonOf = (changes: Partial<AddressInputs>, host: string) =>
  ownAddresses(inputs(changes)).find(({ address }) => parseAddress(address).host === host)?.reason

const many = (count: number, name: string, net: string) =>
  Array.from({ length: count }, (_, n) => on(`${name}${n}`, `${net}.${n}.1`)).flat()
const at = (host: string) => {
  const family = host.includes(':') ? 'ip6' : 'ip4'
  return [`/${family}/${host}/udp/4001/quic-v1`, `/${family}/${host}/tcp/4001`]
}
const includesAll = (list: readonly string[], hosts: readonly string[]) =>
  assert.partialDeepStrictEqual(new Set(list), new Set(hosts.flatMap(at)))

type Withheld = readonly [what: string, host: string, reason: string, changes: Partial<AddressInputs>]

suite('addresses that a node announces', () => {
  for (const host of ['45.79.10.1', '10.88.0.1', '100.64.0.7', '2a01:7e00::7', 'fd00::2', '64:ff9b::a58:1']) {
    test(`an interface with ${host}: both transports are announced there, and no loopback`, () => {
      assert.deepEqual(announcedOf({ interfaces: [...lo, ...on('eth0', host)], listening: bothFamilies }), at(host))
    })
  }

  const eth0 = on('eth0', '10.0.0.1')
  const relayed = '/ip4/10.0.0.7/tcp/4001/p2p/12D3KooWRelay/p2p-circuit'
  const withheld: readonly Withheld[] = [
    ['link-local', 'fe80::1', 'link-local', { interfaces: on('eth0', '10.0.0.1', 'fe80::1'), listening: bothFamilies }],
    ['loopback beside another address', '127.0.0.1', 'loopback', { interfaces: [...lo, ...eth0] }],
    ['beside configured ones', '10.0.0.1', 'replaced', { interfaces: eth0, announce: ['/dns4/node.example/tcp/1'] }],
    ['that the application’s filter refuses', '10.0.0.1', 'filtered', { interfaces: eth0, permits: () => false }],
    ['that no interface has', '10.0.0.9', 'no-interface', { interfaces: eth0, listening: ['/ip4/10.0.0.9/tcp/4001'] }],
    ['of a relay', '10.0.0.7', 'relayed', { listening: [relayed] }],
  ]
  for (const [what, host, reason, changes] of withheld) {
    test(`an address ${what}: withheld as ${reason}`, () => assert.equal(reasonOf(changes, host), reason))
  }

  test('a node with loopback only announces it', () => {
    assert.deepEqual(announcedOf({}), at('127.0.0.1'))
    const listening = ['/ip4/127.0.0.1/tcp/7']
    assert.deepEqual(announcedOf({ listening, interfaces: [...lo, ...eth0] }), listening)
  })

  test('configured addresses replace all others; an application’s additional ones come first', () => {
    const interfaces = on('eth0', '10.0.0.1')
    const announce = ['/dns4/node.example/udp/4001/quic-v1']
    assert.deepEqual(announcedOf({ interfaces, announce }), announce)
    assert.deepEqual(announcedOf({ interfaces, append: announce })[0], announce[0])
    assert.equal(announcedOf({ interfaces, append: announce }).length, 3)
  })

  for (const [listening, host] of [
    ['/ip4/10.0.0.9/tcp/4001', '10.0.0.9'],
    ['/ip6/2001:db8:0:0::1/tcp/4001', '2001:db8::1'],
  ] as const) {
    test(`the explicit address ${listening} is found on the interface with ${host}`, () => {
      assert.deepEqual(announcedOf({ listening: [listening], interfaces: on('eth0', host) }), [listening])
    })
  }

  test('an observed address is unconfirmed until a neighbour confirms it, then announced', () => {
    const address = '/ip4/203.0.113.9/tcp/4001'
    const interfaces = on('eth0', '192.168.1.5')
    const before = ownAddresses(inputs({ interfaces, observed: [{ address, isConfirmed: false, why: 'new' }] }))
    assert.deepEqual(before.at(-1), {
      address,
      source: 'observed',
      state: 'unconfirmed',
      reason: 'unconfirmed',
      detail: 'new',
      interface: undefined,
    })
    assert.ok(announcedOf({ interfaces, observed: [{ address, isConfirmed: true, why: '' }] }).includes(address))
  })

  test('an unconfirmed address follows the announced ones, before dozens that are cut', () => {
    const bridges = many(60, 'br-', '172.17')
    const observed = [{ address: '/ip4/203.0.113.9/tcp/4001', isConfirmed: false, why: 'new' }]
    const states = ownAddresses(inputs({ interfaces: bridges, observed })).map(({ state }) => state)
    const from = states.lastIndexOf('announced') + 1
    assert.deepEqual(states.slice(from, from + 2), ['unconfirmed', 'cut'])
  })

  test('twenty bridges before the only other interface: it comes first with both transports, bridges are cut', () => {
    const bridges = many(20, 'br-', '172.20')
    const list = announcedOf({ interfaces: [...lo, ...bridges, ...on('eth0', '10.77.0.2')] })
    assert.deepEqual(list.slice(0, 2), at('10.77.0.2'))
    assert.equal(list.length, 10)
  })

  test('links to containers behind eight of twenty bridges: the default route and a tunnel are announced first', () => {
    const bridges = many(20, 'br-', '172.20')
    const interfaces = [...lo, ...bridges, ...on('eth0', '10.9.0.7'), ...on('wg0', '10.99.0.7')]
    const linkSources = bridges.slice(0, 8).map(({ address }) => address)
    const list = announcedOf({ interfaces, linkSources, routeSources: ['10.9.0.7'] })
    includesAll(list.slice(0, 4), ['10.9.0.7', '10.99.0.7'])
    includesAll(list, linkSources.slice(0, 4))
    assert.equal(list.length, 12)
  })

  for (const linked of [0, 20]) {
    test(`twenty VLANs, ${linked} with a link: a late tunnel without one is announced`, () => {
      const vlans = many(20, 'eth0.', '10.20')
      const interfaces = [...lo, ...vlans, ...on('wg0', '10.99.0.7')]
      const linkSources = vlans.slice(0, linked).map(({ address }) => address)
      const list = announcedOf({ interfaces, linkSources, routeSources: ['10.20.0.1'] })
      includesAll(list, ['10.20.0.1', '10.99.0.7'])
      assert.equal(list.length, 16)
    })
  }

  test('twenty interfaces of one kind: the newest, which is last, is announced', () => {
    includesAll(announcedOf({ interfaces: [...lo, ...many(20, 'eth', '10.20')] }), ['10.20.0.1', '10.20.19.1'])
  })

  test('a bridge with the default route comes before others', () => {
    const interfaces = [...lo, ...many(20, 'br-', '172.20'), ...on('br-lan', '10.0.0.7')]
    assert.deepEqual(announcedOf({ interfaces, routeSources: ['10.0.0.7'] }).slice(0, 2), at('10.0.0.7'))
  })

  test('twenty interfaces before the one with a link: that comes first', () => {
    const interfaces = [...lo, ...many(20, 'net', '172.20'), ...on('wg0', '10.200.0.2')]
    assert.deepEqual(announcedOf({ interfaces, linkSources: ['10.200.0.2'] }).slice(0, 2), at('10.200.0.2'))
  })

  test('a transport that only a bridge has is announced although the limit cuts bridges', () => {
    const interfaces = [...many(30, 'net', '10.1'), ...on('docker0', '172.17.0.1')]
    const listening = ['/ip4/0.0.0.0/udp/4001/quic-v1', '/ip4/172.17.0.1/tcp/4001']
    const list = announcedOf({ listening, interfaces })
    assert.equal(list.at(-1), '/ip4/172.17.0.1/tcp/4001')
    assert.equal(list.length, 16)
  })
})

const ip4 = fc
  .tuple(
    fc.constantFrom(10, 45, 127, 169, 172, 192),
    fc.constantFrom(17, 254, 168),
    fc.nat(3),
    fc.integer({ min: 1, max: 9 }),
  )
  .map((parts) => parts.join('.'))
const ip6 = fc
  .tuple(fc.constantFrom('2a01:', 'fd00:', 'fe80:', '64:ff9b:'), fc.integer({ min: 1, max: 9 }))
  .map(([net, n]) => `${net}:${n}`)
const iface: fc.Arbitrary<NetworkInterface> = fc.record({
  name: fc.constantFrom('eth0', 'wg0', 'docker0', 'br-1'),
  address: fc.oneof(ip4, ip6),
  isBridge: fc.boolean(),
})
const observedAddress = fc.record({
  address: ip4.map((host) => `/ip4/${host}/tcp/9`),
  isConfirmed: fc.boolean(),
  why: fc.constant(''),
})
const anyInputs: fc.Arbitrary<AddressInputs> = fc
  .record({
    listening: fc.subarray(bothFamilies, { minLength: 1 }),
    interfaces: fc.uniqueArray(iface, { maxLength: 40, selector: ({ address }) => address }),
    observed: fc.array(observedAddress, { maxLength: 4 }),
    linkSources: fc.array(fc.oneof(ip4, ip6), { maxLength: 4 }),
    routeSources: fc.array(ip4, { maxLength: 2 }),
  })
  .map((some) => inputs(some))

suite('any interfaces', () => {
  const always = (title: string, verify: (list: ReturnType<typeof ownAddresses>, inputs: AddressInputs) => void) =>
    test(title, (t) => forAll({ t, numRuns: 500 }, [anyInputs], (inputs) => verify(ownAddresses(inputs), inputs)))

  always('the announced list is bounded, and every address is listed once', (list) => {
    const addresses = list.map(({ address }) => address)
    assert.equal(new Set(addresses).size, addresses.length)
    assert.ok(announcedAddresses(list).length <= 16)
  })

  always('every transport and IP version that has a usable address is announced', (list) => {
    const groupOf = (address: string) => `${parseAddress(address).transport} ${parseAddress(address).family}`
    const groups = new Set(announcedAddresses(list).map(groupOf))
    for (const { address, state } of list) if (state === 'cut') assert.ok(groups.has(groupOf(address)), address)
  })

  always('no link-local address is announced, and loopback only without others', (list) => {
    const hosts = announcedAddresses(list).map((address) => parseAddress(address).host)
    assert.ok(hosts.every((host) => !host.startsWith('fe80:') && !host.startsWith('169.254.')))
    const loopback = hosts.filter((host) => host.startsWith('127.'))
    assert.ok(loopback.length === 0 || loopback.length === hosts.length)
  })

  always('an announced address has no reason, any other has one', (list) => {
    for (const { state, reason } of list) assert.equal(state === 'announced', reason === undefined)
  })

  always(
    'a link’s source address is never cut in any order of interfaces, except a bridge’s',
    (list, { linkSources, interfaces }) => {
      const bridges = interfaces.filter(({ isBridge }) => isBridge).map(({ address }) => address)
      const hosts = linkSources.filter((host) => !bridges.includes(host))
      const sources = list.filter(({ address }) => hosts.includes(parseAddress(address).host))
      assert.ok(sources.every(({ state }) => state !== 'cut'))
    },
  )
})
