import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import fastify from 'fastify'
import { leakCheck } from '../testing/leak-check.ts'
import { traceRoutes } from './trace-routes.ts'

leakCheck()

/** A proxy in front of a store with one fixed response, and the paths the store received. */
async function startProxy(
  t: TestContext,
  storeResponse: { code?: number; type?: string; body: string },
  spellUrl = (url: string) => url,
) {
  const store = fastify()
  const requests: string[] = []
  store.get('/*', (request, reply) => {
    requests.push(request.url)
    return reply
      .code(storeResponse.code ?? 200)
      .header('content-type', storeResponse.type ?? 'application/json')
      .send(storeResponse.body)
  })
  const url = await store.listen({ host: '127.0.0.1', port: 0 })
  const app = fastify()
  traceRoutes(app, spellUrl(url))
  t.after(async () => {
    store.server.closeAllConnections()
    await Promise.all([store.close(), app.close()])
  })
  return { app, requests, store }
}

test('a query and its response pass through unchanged', async (t) => {
  const { app, requests } = await startProxy(t, { body: '{"services":["mesh-a"]}' })
  const response = await app.inject('/api/v3/traces?query.service_name=mesh%20a&query.attributes=%7B%7D')
  assert.deepEqual([response.statusCode, response.json()], [200, { services: ['mesh-a'] }])
  assert.deepEqual(requests, ['/api/v3/traces?query.service_name=mesh%20a&query.attributes=%7B%7D'])
})

test('a search without results (404): the proxy returns an empty result', async (t) => {
  const { app } = await startProxy(t, { code: 404, body: '{"error":{"message":"No traces found"}}' })
  const response = await app.inject('/api/v3/traces/0af7')
  assert.deepEqual([response.statusCode, response.json()], [200, { result: { resourceSpans: [] } }])
})

test('a 404 is an empty result only if its body is JSON, whatever its content type', async (t) => {
  const jaeger = await startProxy(t, { code: 404, type: 'text/plain', body: '{"error":{"httpCode":404}}' })
  assert.equal((await jaeger.app.inject('/api/v3/traces/0af7')).statusCode, 200)
  const other = await startProxy(t, { code: 404, type: 'text/plain', body: 'no such page' })
  assert.equal((await other.app.inject('/api/v3/traces/0af7')).statusCode, 404)
})

test('a client that disconnects: the proxy aborts its request to the store', async (t) => {
  const requests = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  const store = createServer((_, response) => {
    response.once('close', () => closed.resolve())
    requests.resolve()
  }).listen(0, '127.0.0.1')
  await once(store, 'listening')
  const app = fastify()
  traceRoutes(app, `http://127.0.0.1:${(store.address() as AddressInfo).port}`)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.after(async () => {
    store.closeAllConnections()
    await Promise.all([once(store.close(), 'close'), app.close()])
  })
  const abort = new AbortController()
  const response = fetch(`${url}/api/v3/traces`, { signal: abort.signal })
  await requests.promise
  abort.abort()
  await assert.rejects(response)
  await closed.promise
})

test('a 404 for a path other than a search stays a 404', async (t) => {
  const { app } = await startProxy(t, { code: 404, body: '{"error":{"message":"no such path"}}' })
  for (const url of ['/api/v3/services', '/api/v3/operations?service=a', '/api/v3/traces/0af7/spans'])
    assert.equal((await app.inject(url)).statusCode, 404, url)
})

test('a store URL in another spelling reaches the same store', async (t) => {
  const { app, requests } = await startProxy(t, { body: '{}' }, (url) => `${url.replace('http', 'HTTP')}/base/./`)
  assert.equal((await app.inject('/api/v3/services')).statusCode, 200)
  assert.deepEqual(requests, ['/base/api/v3/services'])
})

test('other errors pass through unchanged', async (t) => {
  const { app } = await startProxy(t, { code: 400, body: '{"error":{"message":"malformed"}}' })
  const response = await app.inject('/api/v3/traces')
  assert.deepEqual([response.statusCode, response.json()], [400, { error: { message: 'malformed' } }])
})

test('HTML from the store is returned as plain text', async (t) => {
  const { app } = await startProxy(t, { type: 'text/html', body: '<script>alert(1)</script>' })
  assert.match(String((await app.inject('/api/v3/services')).headers['content-type']), /^text\/plain/)
})

test('a search by tags: passes through, as errors do, and is empty for a store without tags', async (t) => {
  const url = '/api/traces?service=a&tags=%7B%22b%22%3A%22c%22%7D'
  const jaeger = await startProxy(t, { body: '{"data":[]}' })
  const response = await jaeger.app.inject(url)
  assert.deepEqual([response.statusCode, response.json(), jaeger.requests], [200, { data: [] }, [url]])
  for (const other of [
    { code: 404, body: '{"error":{"message":"no route"}}' },
    { type: 'text/html', body: '<title>Jaeger UI</title>' },
  ]) {
    const { app } = await startProxy(t, other)
    const none = await app.inject(url)
    assert.deepEqual([none.statusCode, none.body], [204, ''])
  }
  for (const failing of [
    { code: 500, body: '{"errors":[]}' },
    { code: 403, type: 'text/html', body: '<h1>Forbidden</h1>' },
    { code: 503, type: 'text/plain', body: 'no healthy upstream' },
    { type: 'text/html', body: '<h1>Log in</h1>' },
  ]) {
    const { app } = await startProxy(t, failing)
    const refused = await app.inject(url)
    assert.deepEqual([refused.statusCode, refused.body], [failing.code ?? 200, failing.body])
    assert.match(String(refused.headers['content-type']), failing.type ? /^text\/plain/ : /^application\/json/)
  }
  assert.equal((await jaeger.app.inject('/api/traces/0af7')).statusCode, 404)
})

test('paths outside /api/v3 are refused', async (t) => {
  const { app, requests } = await startProxy(t, { body: '{}' })
  for (const url of [
    '/api/v3/../stats',
    '/api/v3/%2e%2e/stats',
    '/api/v3/..%2fx/../../stats',
    '/api/v3//evil.example.org/x',
    '/api/v3/http://evil.example.org/x',
    '/api/v3/http://[/x',
  ]) {
    // Fastify normalizes some of these to other paths, which have no route.
    assert.ok([400, 404].includes((await app.inject(url)).statusCode), url)
  }
  assert.equal((await app.inject('/api/v3//evil.example.org/x')).statusCode, 400)
  assert.deepEqual(requests, [])
  assert.equal((await app.inject({ method: 'POST', url: '/api/v3/traces' })).statusCode, 404)
})

test('an unreachable store: the error names its URL', async (t) => {
  const { app, store } = await startProxy(t, { body: '{}' })
  await store.close()
  const response = await app.inject('/api/v3/services')
  assert.equal(response.statusCode, 502)
  assert.match(response.json().message, /^trace store at http:\/\/127\.0\.0\.1:\d+ did not respond: .*ECONNREFUSED/)
})
