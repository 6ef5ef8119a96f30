import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import fastify from 'fastify'
import { leakCheck } from '../testing/leak-check.ts'
import { pageRoutes } from './serve.ts'

leakCheck()

async function startApp(t: TestContext) {
  const app = fastify()
  t.after(() => app.close())
  await pageRoutes(app)
  return app
}

test('the page: it builds within 3 s and is below 60 kB', async (t) => {
  const startMs = performance.now()
  const app = await startApp(t)
  // It takes 0.1 s by itself; the rest allows for a busy machine.
  assert.ok(performance.now() - startMs < 3_000)
  const responses = await Promise.all(
    ['/', '/app.js', '/app.css', '/icon.svg'].map((url) => app.inject({ url, headers: { 'accept-encoding': 'gzip' } })),
  )
  for (const response of responses) assert.equal(response.statusCode, 200)
  const bytes = responses.reduce((sum, { rawPayload }) => sum + rawPayload.length, 0)
  assert.ok(bytes < 60_000, `${bytes} bytes`)
})

test('the content security policy allows this server only', async (t) => {
  const app = await startApp(t)
  const { headers, body } = await app.inject('/')
  const policy = String(headers['content-security-policy'])
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'/)
  assert.doesNotMatch(policy, /unsafe|https?:|\*/)
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.doesNotMatch(body, /<style|style=|<script>|onload=|https?:/)
})

test('a matching etag returns 304, and the compressed body equals the plain one', async (t) => {
  const app = await startApp(t)
  const first = await app.inject('/app.js')
  const etag = String(first.headers.etag)
  const again = await app.inject({ url: '/app.js', headers: { 'if-none-match': etag } })
  assert.deepEqual([again.statusCode, again.body], [304, ''])
  const other = await app.inject({
    url: '/app.js',
    headers: { 'if-none-match': '"another"', 'accept-encoding': 'gzip' },
  })
  assert.equal(gunzipSync(other.rawPayload).toString(), first.body)
})
