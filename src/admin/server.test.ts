import assert from 'node:assert/strict'
import diagnostics from 'node:diagnostics_channel'
import { type EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { adminSource } from '../testing/admin-source.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { adminApp } from './app.ts'
import { listenHttp } from './listener.ts'
import { startAdmin } from './server.ts'

leakCheck()

const source = adminSource()
const onError = assert.ifError
/** Containers often have no IPv6 at all. */
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

test('the API listens on its address; port 0 picks a free port', async () => {
  for (const listen of ['127.0.0.1:0', ...(hasIpv6 ? ['[::1]:0'] : [])]) {
    const admin = await startAdmin({ listen, source, onError })
    try {
      assert.match(admin.url, /^http:\/\/(127\.0\.0\.1|\[::1\]):[1-9]\d*$/)
      const answer = await fetch(`${admin.url}/api/topology`)
      assert.deepEqual([answer.status, await answer.json()], [200, source.topology()])
    } finally {
      await admin.close()
    }
  }
})

test('a port in use: the error names the address', async () => {
  const first = await startAdmin({ listen: '127.0.0.1:0', source, onError })
  const listen = new URL(first.url).host
  try {
    await assert.rejects(startAdmin({ listen, source, onError }), {
      code: 'MESH_PORT_TAKEN',
      message: new RegExp(listen),
    })
  } finally {
    await first.close()
  }
})

test('an address of another machine, an open address without a token, an invalid address: refused', async () => {
  const invalid = { code: 'MESH_CONFIG_INVALID', message: /MESH_ADMIN \(--admin\)/ }
  // 203.0.113.0/24 is reserved for documentation (RFC 5737): no machine should have it.
  await assert.rejects(
    startAdmin({ listen: '203.0.113.77:0', source, onError, token: 'a-token-of-24-characters' }),
    invalid,
  )
  await assert.rejects(startAdmin({ listen: '0.0.0.0:0', source, onError }), invalid)
  await assert.rejects(startAdmin({ listen: 'nonsense', source, onError }), invalid)
})

test('a failed accept and a failed load of the API: both are reported, and the next request succeeds', async () => {
  const errors: unknown[] = []
  let server: EventEmitter | undefined
  const onListen = (message: unknown) => {
    server = (message as { server: EventEmitter }).server
  }
  diagnostics.subscribe('tracing:net.server.listen:asyncStart', onListen)
  let loads = 0
  const app = async () => {
    loads++
    if (loads === 1) throw new Error('EMFILE: too many open files')
    return adminApp({ source, onError: (error) => errors.push(error), token: undefined })
  }
  const admin = await listenHttp({
    key: 'k',
    listen: '127.0.0.1:0',
    app,
    token: undefined,
    onError: (error) => errors.push(error),
  })
  diagnostics.unsubscribe('tracing:net.server.listen:asyncStart', onListen)
  try {
    server?.emit('error', Object.assign(new Error('accept ENOBUFS'), { code: 'ENOBUFS' }))
    const statuses = [await fetch(`${admin.url}/healthz`), await fetch(`${admin.url}/healthz`)].map(
      ({ status }) => status,
    )
    assert.deepEqual(
      [statuses, errors.map(String)],
      [
        [500, 200],
        ['Error: accept ENOBUFS', 'Error: EMFILE: too many open files'],
      ],
    )
  } finally {
    await admin.close()
  }
})

test('a client in the middle of a request: close does not wait for it', async () => {
  const admin = await startAdmin({ listen: '127.0.0.1:0', source, onError })
  const socket = connect(Number(new URL(admin.url).port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(socket, 'data')
  // Half a request keeps the connection busy.
  await new Promise((written) => socket.write('GET /healthz HTTP/1.1\r\nhost: ', written))
  await fetch(`${admin.url}/healthz`)
  const ended = once(socket, 'close')
  const before = performance.now()
  await admin.close()
  assert.ok(performance.now() - before < 1_000)
  await ended
  await assert.rejects(fetch(`${admin.url}/healthz`))
})
