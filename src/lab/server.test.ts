import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { MeshError } from '../core/errors.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { Lab } from './lab.ts'
import { labApp, serveLab } from './server.ts'

leakCheck()

const host = '127.0.0.1:16680'
const own = { host, origin: `http://${host}` }

test('the HTTP API of the lab: the view, and one call of the lab per control', async () => {
  await using lab = await app()
  const { get, post, calls } = lab
  assert.deepEqual((await get('/api/mesh')).json(), { title: 'a view' })
  for (const verb of ['kill', 'stop', 'pause', 'resume', 'start', 'start?identity=fresh'])
    assert.equal((await post(`/api/lab/nodes/a-1/${verb}`)).statusCode, 200, verb)
  const spawned = await post('/api/lab/nodes', { role: 'compute', mesh: 'mesh-a' })
  assert.deepEqual([spawned.statusCode, spawned.json()], [201, { node: 'a-9' }])
  assert.deepEqual((await get('/api/lab/nodes/a-1/inventory')).json(), { links: 1 })
  assert.equal((await get('/api/lab/nodes/stopped/inventory')).statusCode, 204, 'a node that does not run has none')
  assert.deepEqual((await post('/api/lab/nodes/a-1/messages', { text: 'hello' })).json(), { recipients: 7 })
  assert.deepEqual(calls, [
    'kill a-1',
    'stop a-1',
    'pause a-1',
    'resume a-1',
    'start a-1 same',
    'start a-1 fresh',
    'spawn compute mesh-a',
    'inventory a-1',
    'publish a-1 hello',
  ])
  assert.match((await get('/')).headers['content-type'] as string, /html/)
})

test('an invalid request: refused with a status and the reason', async () => {
  await using lab = await app()
  const { get, post, calls } = lab
  const cases = [
    [await post('/api/lab/nodes/nobody/kill'), 404, /unknown node nobody/],
    [await post('/api/lab/nodes/stopped/kill'), 409, /it is stopped/],
    [await post('/api/lab/nodes/broken/kill'), 500, /internal error of the lab/],
    [await post('/api/lab/nodes/a-1/start?identity=mine'), 400, /identity/],
    [await post('/api/lab/nodes', { role: 'queen', mesh: 'mesh-a' }), 400, /role/],
    [await post('/api/lab/nodes', { role: 'compute', mesh: 'x'.repeat(5_000) }), 413, /too large/],
    [await post('/api/lab/nodes'), 400, /./],
    [await post('/api/lab/nodes/a-1/messages', { text: '' }), 400, /text/],
    [await post('/api/lab/nodes/a-1/messages', { text: 'x'.repeat(501) }), 400, /text/],
    [await get('/api/nothing'), 404, /no route GET/],
    [await get('/api/lab/nodes/a-1/kill'), 404, /no route GET/],
  ] as const
  for (const [answer, code, message] of cases) {
    assert.equal(answer.statusCode, code, answer.body)
    assert.match(answer.json().message, message)
  }
  assert.deepEqual(
    calls.filter((call) => !call.startsWith('kill')),
    [],
  )
})

test('a request of another site: 403, and no call of the lab', async () => {
  await using lab = await app()
  const { fastify, calls } = lab
  const kill = '/api/lab/nodes/a-1/kill'
  const [crossSite, otherPort] = [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]
  for (const [method, url, headers, status] of [
    ['POST', kill, { host: 'evil.example' }, 403],
    ['POST', kill, { origin: 'http://evil.example' }, 403],
    ['POST', kill, { origin: 'null' }, 403],
    ['POST', kill, { origin: 'http://127.0.0.1:9999' }, 403],
    ['POST', kill, crossSite, 403],
    ['POST', kill, otherPort, 403],
    ['GET', '/api/mesh', { host: 'evil.example' }, 403],
    ['GET', '/api/mesh', crossSite, 403],
    ['GET', '/api/mesh', otherPort, 200],
    // A link to the page.
    ['GET', '/', crossSite, 200],
  ] as const) {
    const { statusCode } = await fastify.inject({ method, url, headers: { host, ...headers } })
    assert.equal(statusCode, status, `${method} ${url} ${JSON.stringify(headers)}`)
  }
  assert.deepEqual(calls, [])
  assert.equal((await fastify.inject({ method: 'POST', url: kill, headers: own })).statusCode, 200)
  assert.equal((await fastify.inject({ method: 'POST', url: kill, headers: { host } })).statusCode, 200, 'from a shell')
})

test('a port in use: the lab listens on a later one', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  const server = await serveLab(labOf([]), `127.0.0.1:${port}`)
  assert.notEqual(new URL(server.url).port, String(port))
  assert.equal((await fetch(`${server.url}/api/mesh`)).status, 200)
  await server.close()
  await assert.rejects(serveLab(labOf([]), '127.0.0.1:99999'), /--page is/)
  other.close()
})

async function app() {
  const calls: string[] = []
  const fastify: FastifyInstance = await labApp(labOf(calls))
  return {
    calls,
    fastify,
    get: (url: string) => fastify.inject({ url, headers: { host } }),
    post: (url: string, payload?: object) =>
      fastify.inject({ method: 'POST', url, headers: own, ...(payload && { payload }) }),
    [Symbol.asyncDispose]: () => fastify.close(),
  }
}

function labOf(calls: string[]): Lab {
  const call = (what: string, answer?: unknown) => async (name: string, how?: string) => {
    if (name === 'nobody') throw new MeshError('MESH_LAB_UNKNOWN', { name, known: 'a-1' })
    if (name === 'stopped') throw new MeshError('MESH_LAB_REFUSED', { what: 'no', why: 'it is stopped' })
    if (name === 'broken') throw new Error('a secret')
    calls.push([what, name, ...(how === undefined ? [] : [how])].join(' '))
    return answer
  }
  return {
    query: undefined,
    view: () => ({ title: 'a view' }),
    killNode: call('kill'),
    stopNode: call('stop'),
    pauseNode: call('pause'),
    resumeNode: call('resume'),
    startNode: call('start'),
    spawn: call('spawn', 'a-9'),
    publish: call('publish', { recipients: 7 }),
    inventory: call('inventory', { links: 1 }),
  } as unknown as Lab
}
