import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { configDocs, withConfigDocs } from './config-docs.ts'
import { configEntries } from './config-table.ts'

leakCheck()

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')

test('docs/configuration.md is up to date (node src/dev.js src/node/write-config-docs.ts updates it)', () => {
  assert.equal(page, withConfigDocs(page))
})

test('every setting is one row of four cells', () => {
  const rows = configDocs().split('\n')
  assert.equal(rows.length, configEntries.length + 2)
  for (const row of rows) assert.equal(row.split('|').length, 6, row)
})

test('an edit between the markers is detected and reverted', () => {
  const drifted = page.replace('`MESH_ID`', '`MESH_IT`')
  assert.notEqual(drifted, page)
  assert.equal(withConfigDocs(drifted), page)
})

test('a document without markers: RangeError', () => {
  assert.throws(() => withConfigDocs('# nothing here'), RangeError)
})
