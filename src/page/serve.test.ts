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

test('the page is built in a moment, and is small', async (t) => {
  const startMs = performance.now()
  const app = await startApp(t)
  // In itself 0.1 s; whatever else this machine does is its own affair.
  assert.ok(performance.now() - startMs < 3_000)
  const responses = await Promise.all(
    ['/', '/app.js', '/app.css', '/icon.svg'].map((url) => app.inject({ url, headers: { 'accept-encoding': 'gzip' } })),
  )
  for (const response of responses) assert.equal(response.statusCode, 200)
  const bytes = responses.reduce((sum, { rawPayload }) => sum + rawPayload.length, 0)
  assert.ok(bytes < 60_000, `${bytes} bytes`)
})

test('everything that runs or shows comes from here alone', async (t) => {
  const app = await startApp(t)
  const { headers, body } = await app.inject('/')
  const policy = String(headers['content-security-policy'])
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'/)
  assert.doesNotMatch(policy, /unsafe|https?:|\*/)
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.doesNotMatch(body, /<style|style=|<script>|onload=|https?:/)
})

test('what a browser has already is not sent again, and the compressed is the same', async (t) => {
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
