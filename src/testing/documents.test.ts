import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { leakCheck } from './leak-check.ts'

leakCheck()

const root = resolve(import.meta.dirname, '../..')
const documents = globSync(['*.md', 'docs/**/*.md', 'deploy/**/*.md', 'otel/*.md', 'jaeger/*.md', 'src/**/*.md'], {
  cwd: root,
})

/** Heading anchors as code forges build them: lower case, without punctuation, dashes for spaces. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading)
  const explicit = [...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id = '']) => id)
  const slugs = headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
  return [...slugs, ...explicit]
}

/** Relative links of a document whose file or heading does not exist. */
function brokenLinks(path: string, text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '')
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false
    const [file = '', anchor] = link.split('#')
    const target = file === '' ? join(root, path) : join(root, dirname(path), decodeURIComponent(file))
    if (!existsSync(target)) return true
    return anchor !== undefined && target.endsWith('.md') && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor)
  })
}

test('the documents: each relative link has its file and heading', () => {
  const broken = documents.flatMap((path) =>
    brokenLinks(path, readFileSync(join(root, path), 'utf8')).map((link) => `${path}: ${link}`),
  )
  assert.deepEqual(broken, [])
})

test('brokenLinks: finds a missing file and a missing heading, skips code and web links', () => {
  const text = '[a](nothing.md) [b](../README.md#no-such-heading) [c](https://example.org/x) `[d](gone.md)`'
  assert.deepEqual(brokenLinks('docs/glossary.md', text), ['nothing.md', '../README.md#no-such-heading'])
})

test('the README: at most 150 lines', () => {
  const lines = readFileSync(join(root, 'README.md'), 'utf8').split('\n').length
  assert.ok(lines <= 151, `${lines} lines`)
})
