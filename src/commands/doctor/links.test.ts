import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { parseAttributes, parseRoute } from '../../page/model/text.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { jaegerPage, linksTo, meshPage } from './links.ts'

leakCheck({ graceMs: 8_000 })

const [traceId, spanId] = ['ab'.repeat(16), 'cd'.repeat(8)]
const nowMs = Date.UTC(2026, 10, 30, 12)
const question = { mesh: 'mesh a', node: 'node 3', span: 'mesh.audit', fromMs: nowMs - 3_000_000.5, toMs: nowMs }

test('Jaeger: a trace with the span to find, and a comparison of two', () => {
  const { trace, compare } = jaegerPage('http://jaeger:16686')
  assert.equal(trace({ traceId, spanId }), `http://jaeger:16686/trace/${traceId}?uiFind=${spanId}`)
  const other = 'ef'.repeat(16)
  assert.equal(compare({ traceId }, { traceId: other }), `http://jaeger:16686/trace/${traceId}...${other}`)
})

test('Jaeger below a path: a search as its page reads it, with tags as JSON and times in whole microseconds', () => {
  const url = new URL(jaegerPage('https://example.org/jaeger').search(question) ?? '')
  assert.equal(url.origin + url.pathname, 'https://example.org/jaeger/search')
  const { start, end, ...rest } = Object.fromEntries(url.searchParams)
  assert.deepEqual(rest, {
    service: 'mesh a',
    operation: 'mesh.audit',
    tags: '{"mesh.node.name":"node 3"}',
    lookback: 'custom',
    limit: '100',
  })
  assert.deepEqual([start, end], ['1796036999999000', `${nowMs}000`])
})

test('a fault of the whole mesh: the search has no node', () => {
  const ofMesh = { ...question, node: '' }
  assert.equal(new URL(jaegerPage('http://j').search(ofMesh) ?? '').searchParams.get('tags'), null)
  const route = parseRoute(new URL(meshPage('http://p', () => nowMs).search(ofMesh) ?? '').hash)
  assert.equal(route.params['attributes'], undefined)
})

test('the page of tracemesh: its own router reads the trace, the span and the search', () => {
  const page = meshPage('http://127.0.0.1:16700', () => nowMs)
  const route = (link: string | undefined) => parseRoute(new URL(link ?? '').hash)
  assert.deepEqual(route(page.trace({ traceId, spanId })), { tab: 'traces', item: traceId, params: { span: spanId } })
  const { tab, params } = route(page.search(question))
  const { attributes, ...rest } = params
  assert.deepEqual([tab, rest], ['traces', { service: 'mesh a', span: 'mesh.audit', back: '60', limit: '100' }])
  assert.deepEqual(parseAttributes(attributes ?? ''), { attributes: { 'mesh.node.name': 'node 3' } })
  assert.equal(route(page.search({ ...question, fromMs: 0 })).params['back'], '10080')
  assert.equal(page.compare({ traceId }, { traceId }), undefined)
})

test('what is at a URL: Jaeger, the page of tracemesh, a store without a page, or nothing', async () => {
  let answer = ''
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': answer === '{}' ? 'application/json' : 'text/html' }).end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { signal } = new AbortController()
  const linkAt = async (text: string, given = false) => {
    answer = text
    return (await linksTo(url, given, signal)).trace({ traceId, spanId })?.slice(url.length, url.length + 3)
  }
  assert.equal(await linkAt('<title>Jaeger UI</title>'), '/tr')
  assert.equal(await linkAt('<title>tracemesh</title>'), '/#/')
  assert.equal(await linkAt('{}'), undefined)
  assert.equal(await linkAt('{}', true), '/tr')
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  assert.equal((await linksTo(url, false, signal)).trace({ traceId, spanId }), undefined)
})
