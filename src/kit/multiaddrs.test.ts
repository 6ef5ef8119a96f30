import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { startDnsServer } from '../testing/cluster/dns-server.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { type Lookup, resolve, serverLookup, systemLookup } from './multiaddrs.ts'

leakCheck()

const both: Lookup = async (_, family) =>
  [
    { address: '10.0.0.1', family: 4 as const },
    { address: '10.0.0.2', family: 4 as const },
    { address: '10.0.0.3', family: 4 as const },
    { address: 'fd00::1', family: 6 as const },
  ].filter((one) => family === 0 || one.family === family)

async function expand(address: string, lookup: Lookup = both): Promise<string[]> {
  return (await resolve(multiaddr(address), lookup)).map(String)
}

describe('names in addresses', () => {
  test('a name: all its addresses, families alternating, with the rest of the multiaddr', async () => {
    const id = '12D3KooWH1fVQ1Ec5N6aWPuxBviCBHYS1XmvdYKxEZDZCuNCU4tb'
    assert.deepEqual(await expand(`/dns/seed/udp/4001/quic-v1/p2p/${id}`), [
      `/ip4/10.0.0.1/udp/4001/quic-v1/p2p/${id}`,
      `/ip6/fd00::1/udp/4001/quic-v1/p2p/${id}`,
      `/ip4/10.0.0.2/udp/4001/quic-v1/p2p/${id}`,
      `/ip4/10.0.0.3/udp/4001/quic-v1/p2p/${id}`,
    ])
  })

  test('dns4 queries only IPv4, dns6 only IPv6', async () => {
    assert.deepEqual(await expand('/dns6/seed/tcp/1'), ['/ip6/fd00::1/tcp/1'])
    assert.equal((await expand('/dns4/seed/tcp/1')).length, 3)
  })

  test('an address without a name, or with an IP address as its name: no lookup', async () => {
    const unexpected: Lookup = () => assert.fail('a lookup')
    assert.deepEqual(await expand('/ip4/127.0.0.1/tcp/1', unexpected), ['/ip4/127.0.0.1/tcp/1'])
    assert.deepEqual(await expand('/dns4/127.0.0.1/tcp/1', unexpected), ['/ip4/127.0.0.1/tcp/1'])
  })

  test('a name without addresses rejects with the error of the lookup', async () => {
    const none: Lookup = () => Promise.reject(new Error('ENOTFOUND'))
    await assert.rejects(expand('/dns4/seed/tcp/1', none), /ENOTFOUND/)
  })

  test('the system resolves localhost', async () => {
    assert.ok((await systemLookup('localhost', 4)).some(({ address }) => address === '127.0.0.1'))
  })
})

test('a configured DNS server: each call queries it again, for A and AAAA', async () => {
  const server = await startDnsServer()
  try {
    server.set('seed.test', ['10.1.1.1', 'fd00::7'])
    const lookup = serverLookup([server.address], 500)
    assert.deepEqual(await expand('/dns/seed.test/tcp/1', lookup), ['/ip4/10.1.1.1/tcp/1', '/ip6/fd00::7/tcp/1'])
    server.set('seed.test', ['10.1.1.2'])
    assert.deepEqual(await expand('/dns4/seed.test/tcp/1', lookup), ['/ip4/10.1.1.2/tcp/1'])
    await assert.rejects(expand('/dns4/other.test/tcp/1', lookup), { code: 'ENOTFOUND' })
  } finally {
    await server.close()
  }
})
