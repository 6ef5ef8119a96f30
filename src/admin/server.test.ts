import assert from 'node:assert/strict'
import diagnostics from 'node:diagnostics_channel'
import { type EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type TestContext, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { MeshError } from '../core/errors.ts'
import { adminSource } from '../testing/admin-source.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { listenHttp } from './listener.ts'
import { type AdminAppOptions, adminApp, startAdmin } from './server.ts'

leakCheck()

const source = adminSource()
const onError = assert.ifError
/** Containers often have no IPv6 at all. */
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

const methodOf = {
  '/healthz': 'health',
  '/readyz': 'ready',
  '/api/inventory': 'inventory',
  '/api/topology': 'topology',
  '/api/seeds': 'seeds',
  '/api/messages': 'messages',
} as const
const paths = Object.keys(methodOf)
const token = 'a-token-of-24-characters'
const host = '127.0.0.1:8080'

test('the API listens on its address; port 0 picks a free port', async (t) => {
  for (const listen of ['127.0.0.1:0', ...(hasIpv6 ? ['[::1]:0'] : [])]) {
    const admin = await startServer(t, listen)
    assert.match(admin.url, /^http:\/\/(127\.0\.0\.1|\[::1\]):[1-9]\d*$/)
    const answer = await fetch(`${admin.url}/api/topology`)
    assert.deepEqual([answer.status, await answer.json()], [200, source.topology()])
  }
})

test('a port in use: the error names the address', async (t) => {
  const listen = new URL((await startServer(t)).url).host
  const taken = { code: 'MESH_PORT_TAKEN', message: new RegExp(listen) }
  await assert.rejects(startAdmin({ listen, source, onError }), taken)
})

test('an address of another machine, an open address without a token, an invalid address: refused', async () => {
  const invalid = { code: 'MESH_CONFIG_INVALID', message: /MESH_ADMIN \(--admin\)/ }
  // 203.0.113.0/24 is reserved for documentation (RFC 5737): no machine should have it.
  await assert.rejects(startAdmin({ listen: '203.0.113.77:0', source, onError, token }), invalid)
  await assert.rejects(startAdmin({ listen: '0.0.0.0:0', source, onError }), invalid)
  await assert.rejects(startAdmin({ listen: 'nonsense', source, onError }), invalid)
})

test('a failed accept and a failed load of the API: both are reported, and the next request succeeds', async (t) => {
  const errors: string[] = []
  const onError = (error: unknown) => void errors.push(String(error))
  let server: EventEmitter | undefined
  const onListen = (message: unknown) => {
    server = (message as { server: EventEmitter }).server
  }
  diagnostics.subscribe('tracing:net.server.listen:asyncStart', onListen)
  let loads = 0
  const app = async () => {
    loads++
    if (loads === 1) throw new Error('EMFILE: too many open files')
    return adminApp({ source, onError })
  }
  const admin = await listenHttp({ key: 'k', listen: '127.0.0.1:0', app, onError })
  t.after(() => admin.close())
  diagnostics.unsubscribe('tracing:net.server.listen:asyncStart', onListen)
  server?.emit('error', Object.assign(new Error('accept ENOBUFS'), { code: 'ENOBUFS' }))
  const answers = [await fetch(`${admin.url}/healthz`), await fetch(`${admin.url}/healthz`)]
  const statuses = answers.map(({ status }) => status)
  assert.deepEqual(statuses, [500, 200])
  assert.deepEqual(errors, ['Error: accept ENOBUFS', 'Error: EMFILE: too many open files'])
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
  const late = AbortSignal.timeout(1_000)
  await admin.close()
  assert.equal(late.aborted, false)
  await ended
  await assert.rejects(fetch(`${admin.url}/healthz`))
})

test('each path returns the data of its source as JSON', async (t) => {
  const request = await startClient(t)
  for (const [path, method] of Object.entries(methodOf)) {
    const answer = await request('GET', path)
    assert.equal(answer.status, 200, path)
    assert.match(answer.type, /^application\/json/)
    assert.deepEqual(answer.body, source[method]())
  }
})

test('a node without a peer: healthy, and not ready with a reason', async (t) => {
  const request = await startClient(t, { source: adminSource({ ready: () => ({ ready: false, why: 'no peer yet' }) }) })
  assert.equal((await request('GET', '/healthz')).status, 200)
  const { status, body } = await request('GET', '/readyz')
  assert.deepEqual([status, body], [503, { ready: false, why: 'no peer yet' }])
})

test('a token is set: every route but the probes requires it, by any host name', async (t) => {
  const request = await startClient(t, { token })
  for (const path of [...paths, '/nowhere']) {
    const expected = path === '/healthz' || path === '/readyz' ? 200 : 401
    assert.equal((await request('GET', path)).status, expected, path)
    assert.equal((await request('GET', path, { authorization: 'Bearer another-token-of-24' })).status, expected, path)
  }
  const authorization = `Bearer ${token}`
  for (const path of paths)
    assert.equal((await request('GET', path, { authorization, host: 'node-a.mesh' })).status, 200, path)
  const { status, body } = await request('GET', '/healthz', { host: '10.0.0.1:8080' })
  assert.deepEqual([status, body], [200, { status: 'alive' }], 'the health, but not the identity of the node')
  assert.equal((await request('GET', '/readyz', { host: '10.0.0.1:8080' })).status, 200)
  const post = (headers: Record<string, string>) =>
    request('POST', '/api/messages', { 'content-type': 'application/json', ...headers }, '{"topic":"news","text":"x"}')
  assert.equal((await post({})).status, 401)
  // Behind a proxy the browser uses another host name.
  assert.equal((await post({ authorization, origin: 'https://mesh.example.org' })).status, 200)
})

test('no token and a foreign host name (DNS rebinding): 403', async (t) => {
  const request = await startClient(t)
  for (const path of paths) assert.equal((await request('GET', path, { host: 'evil.example.org' })).status, 403, path)
  assert.equal((await request('GET', '/api/topology', { host: 'localhost:8080' })).status, 200)
})

test('an unknown path: 404; a method that a path does not allow: 405', async (t) => {
  const request = await startClient(t)
  assert.deepEqual(await request('GET', '/api/nowhere?x=1'), {
    status: 404,
    type: 'application/json; charset=utf-8',
    allow: undefined,
    body: { error: 'not found', message: 'no route /api/nowhere' },
  })
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'] as const) {
    const { status, allow } = await request(method, '/api/topology')
    assert.deepEqual([status, allow], [405, 'GET, HEAD'], method)
  }
})

test('a valid message is published, an invalid or cross-site one is refused', async (t) => {
  const published: string[] = []
  const publish = async (topic: string, text: string, { raw }: { readonly raw: boolean }) => {
    if (text.length > 10) throw new MeshError('MESH_MESSAGE_TOO_LARGE', { bytes: text.length, limit: 10 })
    published.push(`${topic} ${text}${raw ? ' raw' : ''}`)
    return { recipients: 3 }
  }
  const request = await startClient(t, { source: adminSource({ publish }) })
  const post = (body: unknown, headers = {}) =>
    request('POST', '/api/messages', { 'content-type': 'application/json', ...headers }, JSON.stringify(body))
  const message = { topic: 'news', text: 'hello' }
  const { status, body } = await post(message)
  assert.deepEqual([status, body, published], [200, { recipients: 3 }, ['news hello']])
  assert.equal((await post({ ...message, raw: true })).status, 200)
  assert.deepEqual(published, ['news hello', 'news hello raw'])
  const rejections = [
    [413, await post({ topic: 'news', text: 'far too long' })],
    [400, await post({ topic: 'no news', text: 'x' })],
    [400, await post({ topic: 'news', text: '' })],
    [400, await post({ ...message, more: 1 })],
    [400, await post({ ...message, raw: 'yes' })],
    [400, await post('hello')],
    [400, await request('POST', '/api/messages', { 'content-type': 'text/plain' }, JSON.stringify(message))],
    [403, await post(message, { origin: 'http://evil.example.org' })],
    [403, await post(message, { 'sec-fetch-site': 'same-site' })],
    [403, await request('GET', '/api/messages', { 'sec-fetch-site': 'cross-site' })],
  ] as const
  for (const [index, [expected, answer]] of rejections.entries()) assert.equal(answer.status, expected, String(index))
  assert.equal((await post(message, { origin: `http://${host}` })).status, 200)
  const { allow } = await request('PUT', '/api/messages')
  assert.equal(allow, 'GET, HEAD, POST')
})

test('a body above 64 KiB: 413', async (t) => {
  const request = await startClient(t)
  const headers = { 'content-type': 'application/json' }
  assert.equal((await request('POST', '/api/topology', headers, `"${'x'.repeat(65_536)}"`)).status, 413)
  assert.equal((await request('POST', '/api/topology', headers, '{')).status, 400)
})

test('a source that throws: 500 without the error text', async (t) => {
  const inventory = () => {
    throw new Error('secret detail')
  }
  const errors: unknown[] = []
  const request = await startClient(t, { source: adminSource({ inventory }), onError: (error) => errors.push(error) })
  const { status, body } = await request('GET', '/api/inventory')
  assert.deepEqual([status, body], [500, { error: 'internal error', message: 'see the log' }])
  assert.deepEqual(errors.map(String), ['Error: secret detail'])
})

test('additional routes: those marked open need no token', async (t) => {
  const extend = async (app: FastifyInstance) => {
    app.get('/', { config: { open: true } }, () => ({ page: true }))
    app.get('/api/mesh', () => ({ secret: true }))
  }
  const request = await startClient(t, { token, extend })
  assert.deepEqual((await request('GET', '/')).body, { page: true })
  assert.equal((await request('GET', '/api/mesh')).status, 401)
  const open = await startClient(t, { extend })
  assert.equal((await open('GET', '/api/mesh')).status, 200)
  assert.equal((await open('GET', '/', { host: 'evil.example.org' })).status, 403)
})

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH'

async function startServer(t: TestContext, listen = '127.0.0.1:0') {
  const admin = await startAdmin({ listen, source, onError })
  t.after(() => admin.close())
  return admin
}

async function startClient(t: TestContext, options: Partial<AdminAppOptions> = {}) {
  const app = await adminApp({ source: adminSource(), onError: assert.ifError, ...options })
  t.after(() => app.close())
  return async (method: Method, url: string, headers: Record<string, string> = {}, payload?: string) => {
    const answer = await app.inject({ method, url, headers: { host, ...headers }, ...(payload && { payload }) })
    const { 'content-type': type = '', allow } = answer.headers
    return { status: answer.statusCode, type: String(type), allow, body: answer.json() as unknown }
  }
}
