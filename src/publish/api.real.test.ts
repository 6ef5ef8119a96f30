import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { buildTestPackage } from '../testing/built-package.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { describeApi } from './api.ts'

leakCheck()

test('the public API of the built package is the one in api.txt', async () => {
  await using built = await buildTestPackage()
  const api = await describeApi(join(built.directory, 'dist'))
  const listed = await readFile(join(import.meta.dirname, 'api.txt'), 'utf8')
  const [apiLines, listedLines] = [api, listed].map((text) => text.split('\n')) as [string[], string[]]
  const added = apiLines.filter((line) => !listedLines.includes(line)).map((line) => `+ ${line.trim()}`)
  const removed = listedLines.filter((line) => !apiLines.includes(line)).map((line) => `- ${line.trim()}`)
  const change = [...removed, ...added].join('\n')
  const remedy = 'If applications should see this change, run `npm run api` and say so in CHANGELOG.md.'
  assert.ok(api === listed, `The public API has changed:\n${change}\n${remedy}`)
  for (const name of ['TracemeshService', 'tracemeshInternal', 'InternalInit']) assert.ok(!api.includes(name), name)
})
