import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import type { AttributeSpec } from './attribute-spec.ts'
import { type AttributeName, attributes } from './attributes.ts'
import { renderJaegerUi } from './jaeger-ui.ts'
import { endings, type Search, searches } from './searches.ts'
import { attributeAnchor, attributeIndex, spanAnchor, spansWith } from './span-index.ts'
import { type SpanName, spans } from './spans.ts'

leakCheck()

interface Item {
  readonly label: string
  readonly url: string
}
interface Config {
  readonly search: { readonly maxLookback: { readonly value: string } }
  readonly menu: readonly { readonly label: string; readonly items: readonly Item[] }[]
  readonly linkPatterns: readonly { readonly type: string; readonly key: string; readonly url: string; text: string }[]
}

const config = JSON.parse(renderJaegerUi()) as Config
const names = Object.keys(attributes) as AttributeName[]

test('every search uses attributes of its span, with values that they can have', () => {
  for (const { label, span, tags = {} } of [...searches, ...endings] as readonly Search[]) {
    for (const [name, value] of Object.entries(tags) as [AttributeName, string][]) {
      assert.ok(spansWith(name).includes(span), `${label}: ${span} has no ${name}`)
      const { type }: AttributeSpec = attributes[name]
      if (typeof type !== 'string') assert.ok(type.includes(value), `${label}: ${name} is never ${value}`)
    }
  }
  assert.equal(new Set([...searches, ...endings].map(({ label }) => label)).size, searches.length + endings.length)
})

test('the menu of each mesh searches that mesh over the maximum lookback, with tags as JSON', () => {
  for (const mesh of ['mesh-a', 'mesh-b']) {
    const items = config.menu.filter(({ label }) => label.startsWith(mesh)).flatMap(({ items }) => items)
    const searchItems = items
      .filter(({ url }) => url.startsWith('/search?'))
      .map(({ url }) => new URL(url, 'http://jaeger'))
    assert.equal(searchItems.length, searches.length + endings.length)
    for (const { searchParams } of searchItems) {
      assert.deepEqual(
        ['service', 'start', 'lookback'].map((key) => searchParams.get(key)),
        [mesh, '1', config.search.maxLookback.value],
      )
      assert.ok(Object.hasOwn(spans, searchParams.get('operation') ?? ''))
    }
    const suspects = searchItems.find(({ searchParams }) => searchParams.get('tags')?.includes('1d-7d'))
    assert.deepEqual(JSON.parse(suspects?.searchParams.get('tags') ?? ''), { 'mesh.connection.age_band': '1d-7d' })
  }
})

test('every attribute links to its documentation, as Markdown and as HTML', () => {
  const sections = (Object.keys(spans) as SpanName[]).map(spanAnchor)
  const index = attributeIndex().join('\n')
  for (const name of names) {
    const [pattern] = config.linkPatterns.filter(({ key, text }) => key === name && text === attributes[name].brief)
    const anchor = pattern?.url.split('#')[1] ?? ''
    assert.ok(sections.includes(anchor) || index.includes(`id="${anchor}"`), `${name} leads to ${anchor}`)
  }
  assert.equal(new Set(names.map(attributeAnchor)).size, names.length)
})

test('every parameter of a link is on all spans that have the attribute', () => {
  // Jaeger drops a link with an unknown parameter and only warns in the console.
  const allowed = [...names, 'mesh.id', 'mesh.node.name'] as readonly string[]
  for (const { key, url, text } of config.linkPatterns)
    for (const [, parameter = ''] of `${url} ${text}`.matchAll(/#\{([^}]+)\}/g))
      assert.ok(parameter === key || (parameter === 'mesh.id' && allowed.includes(key)), `${key}: #{${parameter}}`)
})

test('peers and nodes link to the configured page', () => {
  const elsewhere = renderJaegerUi({
    page: 'https://page.example',
    docs: 'https://docs.example/SPANS.md',
    meshes: ['m'],
  })
  const { linkPatterns, menu } = JSON.parse(elsewhere) as Config
  const toPage = linkPatterns.filter(({ url }) => url.startsWith('https://page.example/#/nodes/'))
  const pageLinks = toPage.map(({ type, key }) => `${type} ${key}`)
  assert.deepEqual(pageLinks, ['tags mesh.peer.id', 'tags mesh.origin.peer', 'process mesh.node.name'])
  assert.ok(linkPatterns.some(({ url }) => url.startsWith('https://docs.example/SPANS.md#mesh')))
  const labels = menu.map(({ label }) => label)
  assert.deepEqual(labels, ['m', 'm ends', 'tracemesh'])
  assert.doesNotMatch(elsewhere, /127\.0\.0\.1/)
})
