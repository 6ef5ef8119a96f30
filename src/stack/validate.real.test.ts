import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { leakCheck } from '../testing/leak-check.ts'
import { skipWithout } from '../testing/requirement.ts'
import { type StackBinary, stackBinary } from './binaries.ts'
import { shippedConfigs } from './own-configs.ts'

leakCheck()

const jaegerFolder = dirname(shippedConfigs.jaeger)
const files: readonly (readonly [StackBinary, string])[] = [
  ['otelcol-contrib', shippedConfigs.collector],
  ...['jaeger.yaml', 'clustered.yaml', 'solo.yaml'].map((name) => ['jaeger', join(jaegerFolder, name)] as const),
]

/** Resolves to the errors, or an empty text. */
async function faultsOf(binary: string, ...configs: readonly string[]): Promise<string> {
  const args = ['validate', ...configs.map((config) => `--config=${config}`)]
  const failed = (error: Error & { stderr?: string; stdout?: string }) =>
    `${error.stderr}${error.stdout}` || error.message
  return promisify(execFile)(binary, args, { timeout: 30_000 }).then(() => '', failed)
}

/** Undefined, and the test is skipped, if the program is missing. */
async function binary(t: TestContext, name: StackBinary): Promise<string | undefined> {
  const found = await stackBinary(name)
  if ('path' in found) return found.path
  skipWithout(t, name, found.missing)
  return undefined
}

for (const [program, file] of files) {
  test(`${program} accepts ${basename(dirname(file))}/${basename(file)} and rejects a misspelt key`, async (t) => {
    const path = await binary(t, program)
    if (path === undefined) return
    assert.equal(await faultsOf(path, file), '')
    const folder = await mkdtemp(join(tmpdir(), 'validate-'))
    t.after(() => rm(folder, { recursive: true }))
    const wrong = join(folder, 'wrong.yaml')
    await writeFile(wrong, (await readFile(file, 'utf8')).replaceAll('endpoint:', 'endpint:'))
    assert.match(await faultsOf(path, wrong), /endpint/)
  })
}

test('a second configuration file adds the user name of the clustered store', async (t) => {
  const path = await binary(t, 'jaeger')
  if (path === undefined) return
  const folder = await mkdtemp(join(tmpdir(), 'validate-'))
  t.after(() => rm(folder, { recursive: true }))
  const store = join(folder, 'store.yaml')
  const auth = 'auth: { basic: { username: jaeger, password_file: /run/secrets/store } }'
  await writeFile(store, `extensions: { jaeger_storage: { backends: { spans: { opensearch: { ${auth} } } } } }\n`)
  assert.equal(await faultsOf(path, join(jaegerFolder, 'clustered.yaml'), store), '')
})
