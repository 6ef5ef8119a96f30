import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { leakCheck } from '../testing/leak-check.ts'
import { collectNative, listenOn, realNode } from '../testing/suite/real-world.ts'
import { type DescriptorKind, DescriptorReader, listDescriptors, maxDescriptors } from './descriptors.ts'
import { parseTable } from './socket-tables.ts'

collectNative()
leakCheck()

test('planted descriptors: each shows under its kind, and none after it is closed', async () => {
  const reader = new DescriptorReader()
  const clean = reader.read()
  if (clean === undefined) {
    assert.notEqual(process.platform, 'linux')
    return
  }
  assert.deepEqual(reader.read(), clean)
  const udp = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const socket = createSocket('udp4').bind(0, '127.0.0.1')
      await once(socket, 'listening')
      return socket
    }),
  )
  const servers = [createServer().listen(0, '127.0.0.1'), createServer().listen(join(tmpdir(), `fd-${process.pid}`))]
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const file = openSync(fileURLToPath(import.meta.url), 'r')
  const planted = reader.read()
  assert.ok(planted !== undefined)
  const grown = (kind: DescriptorKind) => planted.byKind[kind] - clean.byKind[kind]
  assert.deepEqual(
    ['udp', 'tcp', 'unix', 'file'].map((kind) => grown(kind as DescriptorKind)),
    [50, 1, 1, 1],
  )
  assert.equal(planted.total - clean.total, 53)
  closeSync(file)
  await Promise.all([...udp, ...servers].map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))))
  assert.deepEqual(reader.read(), clean)
})

test('a QUIC listener: its native socket is counted and listed, which Node does not do', async () => {
  const reader = new DescriptorReader()
  const listedByNode = () => process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap').length
  // Sockets of the test before may still be closing.
  const [clean, before] = [reader.read(), listedByNode()]
  if (clean === undefined) return
  const node = await realNode([listenOn.quic])
  const port = Number(/\/udp\/(\d+)\//.exec(node.address)?.[1])
  const udp = (reader.read()?.byKind.udp ?? 0) - clean.byKind.udp
  const listed = listDescriptors()?.find(({ socket }) => socket?.local === `127.0.0.1:${port}`)
  const added = listedByNode() - before
  await node.stop()
  assert.ok(udp >= 1, `${udp} sockets`)
  assert.equal(listed?.kind, 'udp')
  assert.ok(added <= 0, `${added} listed`)
})

test('a listing: has the addresses of a connected TCP socket and of its listener', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(client, 'connect')
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const sockets = listDescriptors()?.flatMap(({ socket }) => socket ?? [])
  client.destroy()
  server.close()
  await once(server, 'close')
  if (sockets === undefined) return
  assert.equal(sockets.find(({ local, state }) => local === at && state === 'listening')?.remote, undefined)
  assert.equal(sockets.find(({ remote }) => remote === at)?.state, 'established')
})

test('the kernel’s tables: are read only when there is a socket of an unknown inode, once for each', () => {
  const targets = ['socket:[1]', 'socket:[2]', 'pipe:[7]', 'anon_inode:[eventpoll]', '/dev/urandom', '/tmp/a', '/gone']
  const asked: string[][] = []
  const reader = new DescriptorReader({
    list: () => targets.map((_, fd) => String(fd)),
    target: (fd) => {
      const target = targets[Number(fd)] ?? '/gone'
      if (target === '/gone') throw new Error('ENOENT')
      return target
    },
    sockets: (wanted) => {
      asked.push([...wanted])
      return wanted.has('1') ? [{ inode: '1', kind: 'udp', local: '' }] : []
    },
  })
  const expected = { udp: 1, tcp: 0, unix: 0, socket: 1, pipe: 1, device: 1, file: 1, other: 1 }
  assert.deepEqual(reader.read(), { total: 6, byKind: expected })
  assert.deepEqual(reader.read()?.byKind, expected)
  targets.push('socket:[3]')
  reader.read()
  assert.deepEqual(asked, [['1', '2'], ['3']])
})

test('more descriptors than are read: are in the total', () => {
  const source = {
    list: () => Array.from({ length: maxDescriptors + 10 }, (_, fd) => String(fd)),
    target: () => '/tmp/a',
    sockets: () => [],
  }
  const counts = new DescriptorReader(source).read()
  assert.deepEqual([counts?.total, counts?.byKind.file], [maxDescriptors + 10, maxDescriptors])
})

test('a system without a list of descriptors: the counts are absent', () => {
  const list = () => {
    throw new Error('ENOENT')
  }
  const source = { list, target: () => '', sockets: () => [] }
  assert.equal(new DescriptorReader(source).read(), undefined)
  assert.equal(listDescriptors(source), undefined)
})

test('rows of the kernel: the wanted ones have readable addresses; a title, a cut row and an empty text give none', () => {
  const wanted = new Set(['4711', '4712', '99', '77', '78'])
  const tcp = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000',
    '   1: 0100007F:1F91 0A00000A:0050 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000',
    '   2: 0100007F:1F92 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000',
    '   3: 0100007F:1F91 0A0000',
  ].join('\n')
  assert.deepEqual(parseTable(tcp, 'tcp', wanted), [
    { inode: '4711', kind: 'tcp', local: '127.0.0.1:8080', state: 'listening' },
    { inode: '4712', kind: 'tcp', local: '127.0.0.1:8081', remote: '10.0.0.10:80', state: 'established' },
  ])
  const udp6 = `title\n 5: B80D0120000000000000000001000000:0FA1 ${'0'.repeat(32)}:0000 07 0:0 00:0 0 0 0 99 2 0 0\n`
  assert.deepEqual(parseTable(udp6, 'udp', wanted), [{ inode: '99', kind: 'udp', local: '[2001:db8::1]:4001' }])
  const unix = 'Num\n0000: 00000002 00000000 00010000 0001 01 77 /run/x.sock\n0000: 00000003 00000000 0 0001 03 78\n'
  assert.deepEqual(parseTable(unix, 'unix', wanted), [
    { inode: '77', kind: 'unix', local: '/run/x.sock' },
    { inode: '78', kind: 'unix', local: '' },
  ])
  assert.deepEqual(parseTable('', 'tcp', wanted), [])
})
