import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import fastify from 'fastify'
import { leakCheck } from '../testing/leak-check.ts'
import { traceRoutes } from './trace-routes.ts'

leakCheck()

/** A proxy before a store that answers `said` to everything, and the paths it was asked for. */
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

test('a question is handed on as it is, and so is the answer', async (t) => {
  const { app, requests } = await startProxy(t, { body: '{"services":["mesh-a"]}' })
  const response = await app.inject('/api/v3/traces?query.service_name=mesh%20a&query.attributes=%7B%7D')
  assert.deepEqual([response.statusCode, response.json()], [200, { services: ['mesh-a'] }])
  assert.deepEqual(requests, ['/api/v3/traces?query.service_name=mesh%20a&query.attributes=%7B%7D'])
})

test('that nothing was found is an empty answer', async (t) => {
  const { app } = await startProxy(t, { code: 404, body: '{"error":{"message":"No traces found"}}' })
  const response = await app.inject('/api/v3/traces/0af7')
  assert.deepEqual([response.statusCode, response.json()], [200, { result: { resourceSpans: [] } }])
})

test('that nothing was found is known by the answer itself, which Jaeger calls plain text', async (t) => {
  const jaeger = await startProxy(t, { code: 404, type: 'text/plain', body: '{"error":{"httpCode":404}}' })
  assert.equal((await jaeger.app.inject('/api/v3/traces/0af7')).statusCode, 200)
  const other = await startProxy(t, { code: 404, type: 'text/plain', body: 'no such page' })
  assert.equal((await other.app.inject('/api/v3/traces/0af7')).statusCode, 404)
})

test('whoever left waits for nothing', async (t) => {
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

test('that there is no such path is no empty answer', async (t) => {
  const { app } = await startProxy(t, { code: 404, body: '{"error":{"message":"no such path"}}' })
  for (const url of ['/api/v3/services', '/api/v3/operations?service=a', '/api/v3/traces/0af7/spans'])
    assert.equal((await app.inject(url)).statusCode, 404, url)
})

test('a store is reached however its URL is written', async (t) => {
  const { app, requests } = await startProxy(t, { body: '{}' }, (url) => `${url.replace('http', 'HTTP')}/base/./`)
  assert.equal((await app.inject('/api/v3/services')).statusCode, 200)
  assert.deepEqual(requests, ['/base/api/v3/services'])
})

test('other refusals stay what they are', async (t) => {
  const { app } = await startProxy(t, { code: 400, body: '{"error":{"message":"malformed"}}' })
  const response = await app.inject('/api/v3/traces')
  assert.deepEqual([response.statusCode, response.json()], [400, { error: { message: 'malformed' } }])
})

test('a page of the store is not shown as one of ours', async (t) => {
  const { app } = await startProxy(t, { type: 'text/html', body: '<script>alert(1)</script>' })
  assert.match(String((await app.inject('/api/v3/services')).headers['content-type']), /^text\/plain/)
})

test('nothing but /api/v3 is reached', async (t) => {
  const { app, requests } = await startProxy(t, { body: '{}' })
  for (const url of [
    '/api/v3/../stats',
    '/api/v3/%2e%2e/stats',
    '/api/v3/..%2fx/../../stats',
    '/api/v3//evil.example.org/x',
    '/api/v3/http://evil.example.org/x',
    '/api/v3/http://[/x',
  ]) {
    // Some are other paths before they reach a route.
    assert.ok([400, 404].includes((await app.inject(url)).statusCode), url)
  }
  assert.equal((await app.inject('/api/v3//evil.example.org/x')).statusCode, 400)
  assert.deepEqual(requests, [])
  assert.equal((await app.inject({ method: 'POST', url: '/api/v3/traces' })).statusCode, 404)
})

test('a store that is away is named', async (t) => {
  const { app, store } = await startProxy(t, { body: '{}' })
  await store.close()
  const response = await app.inject('/api/v3/services')
  assert.equal(response.statusCode, 502)
  assert.match(response.json().message, /^no answer from http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/)
})
