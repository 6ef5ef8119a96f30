import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { leakCheck } from '../leak-check.ts'
import { temporaryDirectory } from '../surroundings.ts'
import { buildGuest, findGuest } from './build.ts'

leakCheck()

const { signal } = new AbortController()

/** An environment with a toolchain of this script as its only one, and an empty cache. */
async function environment(t: TestContext, script?: string) {
  const directory = temporaryDirectory(t)
  const log = join(directory, 'log')
  if (script !== undefined)
    await writeFile(join(directory, 'go'), `#!/bin/sh\necho "$1" >>${log}\n${script}\n`, { mode: 0o755 })
  const steps = async () => (await readFile(log, 'utf8')).trim().split('\n')
  return { env: { HOME: directory, PATH: `${directory}:/bin:/usr/bin` }, directory, steps }
}

test('a guest that builds: its program is in the cache, and a second call builds nothing', async (t) => {
  const { env, steps, directory } = await environment(t, `[ "$1" = mod ] || echo program >"$6"`)
  assert.deepEqual(await findGuest('go', env), {
    missing: 'the go guest is not built; npm run prove -- interop-go builds it',
  })
  const built = await buildGuest('go', signal, env)
  assert.ok('path' in built && built.path.startsWith(join(directory, '.cache/tracemesh/interop/guest-go-')))
  assert.equal(await readFile(built.path, 'utf8'), 'program\n')
  assert.deepEqual(await buildGuest('go', signal, env), built)
  assert.deepEqual(await steps(), ['mod', 'build'])
})

test('no toolchain, or dependencies that cannot be downloaded: the guest is missing, with the reason', async (t) => {
  const { env: bare } = await environment(t)
  assert.deepEqual(await buildGuest('go', signal, { ...bare, PATH: bare.HOME }), { missing: 'go is not installed' })
  const { env: offline } = await environment(t, 'echo no such host >&2; exit 1')
  const missing = 'the dependencies of the go guest are missing: no such host'
  assert.deepEqual(await buildGuest('go', signal, offline), { missing })
})

test('sources that do not build: an error, not a missing guest', async (t) => {
  const { env } = await environment(t, `[ "$1" = mod ] || { echo undefined: x >&2; exit 1; }`)
  await assert.rejects(buildGuest('go', signal, env), /the go guest does not build: undefined: x/)
})
