import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
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

describe('a configured DNS server', () => {
  test('each call queries it again, for A and AAAA', async () => {
    const server = await dnsServer()
    try {
      const lookup = serverLookup([server.at], 500)
      assert.deepEqual(await expand('/dns/seed.test/tcp/1', lookup), ['/ip4/10.1.1.1/tcp/1', '/ip6/fd00::7/tcp/1'])
      server.move('10.1.1.2')
      assert.deepEqual(await expand('/dns4/seed.test/tcp/1', lookup), ['/ip4/10.1.1.2/tcp/1'])
      await assert.rejects(expand('/dns4/other.test/tcp/1', lookup), { code: 'ENOTFOUND' })
    } finally {
      await server.close()
    }
  })
})

/** Answers A and AAAA for `seed.test`, NXDOMAIN for other names. */
async function dnsServer() {
  const socket = createSocket('udp4')
  let address = '10.1.1.1'
  socket.on('message', (query, from) => socket.send(answer(query, address), from.port, from.address))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    at: `127.0.0.1:${socket.address().port}`,
    move: (to: string) => {
      address = to
    },
    close: async () => {
      socket.close()
      await once(socket, 'close')
    },
  }
}

function answer(query: Buffer, address: string): Buffer {
  const nameEnd = query.indexOf(0, 12)
  const question = query.subarray(12, nameEnd + 5)
  const isKnown = question.toString('latin1').startsWith('\x04seed\x04test\0')
  const data = question.readUInt16BE(question.length - 4) === 1 ? Buffer.from(address.split('.').map(Number)) : v6
  const header = Buffer.from([
    ...query.subarray(0, 2),
    0x81,
    isKnown ? 0x80 : 0x83,
    0,
    1,
    0,
    isKnown ? 1 : 0,
    0,
    0,
    0,
    0,
  ])
  const type = question.subarray(-4)
  const record = Buffer.concat([Buffer.of(0xc0, 12), type, Buffer.of(0, 0, 0, 0, 0, data.length), data])
  return Buffer.concat([header, question, ...(isKnown ? [record] : [])])
}

const v6 = Buffer.from('fd000000000000000000000000000007', 'hex')
