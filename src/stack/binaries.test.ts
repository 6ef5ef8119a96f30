import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { temporaryDirectory } from '../testing/surroundings.ts'
import { stackBinary } from './binaries.ts'

leakCheck()

/** A directory with an executable `bin/prometheus` and a `bin/jaeger` that is not executable. */
async function stackDirectory(t: TestContext): Promise<string> {
  const directory = temporaryDirectory(t)
  await mkdir(join(directory, 'bin'))
  await writeFile(join(directory, 'bin/prometheus'), '', { mode: 0o755 })
  await writeFile(join(directory, 'bin/jaeger'), '', { mode: 0o644 })
  await mkdir(join(directory, 'bin/amtool'), { mode: 0o755 })
  return directory
}

test('a built program takes precedence over the PATH', async (t) => {
  const [directory, other] = [await stackDirectory(t), await stackDirectory(t)]
  const env = { TRACEMESH_STACK: directory, PATH: join(other, 'bin') }
  assert.deepEqual(await stackBinary('prometheus', env), { path: join(directory, 'bin/prometheus') })
})

test('without a built program the PATH counts, except for its relative directories', async (t) => {
  const directory = await stackDirectory(t)
  const env = { HOME: '/nowhere', PATH: `bin::${join(directory, 'bin')}` }
  assert.deepEqual(await stackBinary('prometheus', env), { path: join(directory, 'bin/prometheus') })
  const found = await stackBinary('prometheus', { ...env, PATH: 'bin' })
  assert.ok('missing' in found)
})

test('a configured program that is not there is missing, and the reason names the remedy', async (t) => {
  const directory = await stackDirectory(t)
  for (const name of ['jaeger', 'promtool', 'amtool'] as const) {
    const found = await stackBinary(name, { TRACEMESH_STACK: directory, PATH: process.env['PATH'] })
    assert.ok('missing' in found, name)
    assert.match(found.missing, /is not executable; deploy\/offline\.sh binaries builds it/)
  }
  const found = await stackBinary('jaeger', { TRACEMESH_JAEGER: '/nowhere/jaeger', PATH: process.env['PATH'] })
  assert.deepEqual(found, { missing: 'TRACEMESH_JAEGER names /nowhere/jaeger, which is not executable' })
})
