import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { temporaryDirectory } from '../testing/surroundings.ts'
import { attributes } from './attributes.ts'
import { main, pages } from './generate.ts'
import { attributesOf, emitSpan } from './span-effect.ts'
import { isRegistrySpan, spanAnchor } from './span-index.ts'
import { type SpanName, spans } from './spans.ts'
import { renderSpans } from './spans-page.ts'

leakCheck()

for (const { file, render } of pages) {
  test(`${basename(file)} matches the catalogue (if not: npm run generate)`, async () => {
    assert.equal(await readFile(file, 'utf8'), await render())
  })
}

test('--check on a stale page: exit code 1 and its name; after generating: exit code 0', async (t) => {
  const folder = temporaryDirectory(t)
  const stderr = t.mock.method(process.stderr, 'write', () => true)
  const texts = await Promise.all(pages.map(({ render }) => render()))
  const copies = pages.map(({ file }, index) => ({
    file: join(folder, 'new', `${index}-${basename(file)}`),
    render: () => texts[index] ?? '',
  }))
  assert.equal(await main(['--check'], copies), 1)
  assert.equal(await main([], copies), 0)
  assert.equal(await main(['--check'], copies), 0)
  for (const { file, render } of copies) {
    stderr.mock.resetCalls()
    await writeFile(file, render().replace(/[a-z]/, '#'))
    assert.equal(await main(['--check'], copies), 1, file)
    assert.deepEqual(
      stderr.mock.calls.map(({ arguments: [text] }) => String(text).startsWith(file)),
      [true],
    )
    await writeFile(file, render())
  }
})

test('SPANS.md has every span with each of its attributes', () => {
  const page = renderSpans([])
  for (const name of Object.keys(spans) as SpanName[]) {
    const heading = isRegistrySpan(name) ? 'Registries' : name
    const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
    assert.ok(!isRegistrySpan(name) || section.includes(`id="${spanAnchor(name)}"`), name)
    for (const attribute of attributesOf(spans[name]))
      assert.ok(section.includes(`| \`${attribute}\` |`), `${name} ${attribute}`)
  }
})

test('every declared attribute is on a span, except mesh.seq, which is on all', () => {
  const declared: readonly string[] = Object.values(spans).flatMap(attributesOf)
  const unused = Object.keys(attributes).filter((name) => !declared.includes(name))
  assert.deepEqual(unused, ['mesh.seq'])
})

test('a wrong name, attribute or value does not compile', () => {
  emitSpan('mesh.window', { 'mesh.window.seq': 1, 'mesh.node.uptime_ms': 2 })
  // @ts-expect-error no such span
  emitSpan('mesh.windows', { 'mesh.window.seq': 1, 'mesh.node.uptime_ms': 2 })
  // @ts-expect-error an attribute is missing
  emitSpan('mesh.window', { 'mesh.window.seq': 1 })
  // @ts-expect-error an attribute of another span
  emitSpan('mesh.window', { 'mesh.window.seq': 1, 'mesh.node.uptime_ms': 2, 'mesh.peer.id': 'p' })
  // @ts-expect-error a text for a number
  emitSpan('mesh.window', { 'mesh.window.seq': '1', 'mesh.node.uptime_ms': 2 })
  const limit = { 'mesh.limit.name': 'peers', 'mesh.limit.value': 3, 'mesh.limit.total': 1 } as const
  emitSpan('mesh.limit.reached', { ...limit, 'mesh.limit.action': 'refused' })
  emitSpan('mesh.limit.reached', { ...limit, 'mesh.limit.action': 'refused', 'mesh.peer.id': 'p' })
  // @ts-expect-error a value that is not one of the enumeration
  emitSpan('mesh.limit.reached', { ...limit, 'mesh.limit.action': 'dropped' })
  // @ts-expect-error a parent is a reference, not a text
  emitSpan('mesh.limit.reached', { ...limit, 'mesh.limit.action': 'refused' }, { parent: 'abc' })
})
