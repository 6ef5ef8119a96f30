import assert from 'node:assert/strict'
import { test } from 'node:test'
import fastify from 'fastify'
import { type AttributeName, attributes } from '../catalogue/attributes.ts'
import { attributeAnchor, spanAnchor } from '../catalogue/span-index.ts'
import { type SpanName, spans } from '../catalogue/spans.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { pageRoutes } from './serve.ts'
import { renderSpanDocs } from './span-docs.ts'

leakCheck()

const page = renderSpanDocs()
const ids = Array.from(page.matchAll(/ id="([^"]+)"/g), ([, id]) => id ?? '')

test('every span and attribute has one anchor, and every link has a target', () => {
  for (const name of Object.keys(spans) as SpanName[])
    assert.equal(ids.filter((id) => id === spanAnchor(name)).length, 1)
  for (const name of Object.keys(attributes) as AttributeName[])
    assert.equal(ids.filter((id) => id === attributeAnchor(name)).length, 1, name)
  const links = Array.from(page.matchAll(/href="#([^"]+)"/g), ([, anchor]) => anchor ?? '')
  assert.ok(links.length > 300, `${links.length} links`)
  assert.deepEqual(
    links.filter((anchor) => !ids.includes(anchor)),
    [],
  )
})

test('Markdown code becomes code elements, all other text is escaped', () => {
  assert.match(page, /child of <code>mesh\.node\.stopped<\/code>/)
  assert.doesNotMatch(page, /`|&lt;code/)
})

test('/spans is served without a token and with the same security policy', async (t) => {
  const app = fastify()
  t.after(() => app.close())
  const open: string[] = []
  app.addHook('onRoute', ({ url, config }) => {
    if ((config as { open?: boolean } | undefined)?.open === true) open.push(url)
  })
  await pageRoutes(app)
  const { headers, body } = await app.inject('/spans')
  assert.equal(body, page)
  assert.match(String(headers['content-security-policy']), /^default-src 'none'/)
  assert.match(String(headers['content-type']), /^text\/html/)
  assert.ok(open.includes('/spans'))
})
