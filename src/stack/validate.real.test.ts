import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { leakCheck } from '../testing/leak-check.ts'
import { programTest } from '../testing/stack/program-test.ts'
import type { StackBinary } from './binaries.ts'
import { shippedConfigs } from './services.ts'

leakCheck()

const jaegerFolder = dirname(shippedConfigs.jaeger)
const files: readonly (readonly [StackBinary, string])[] = [
  ['otelcol-contrib', shippedConfigs.collector],
  ['otelcol-contrib', join(dirname(shippedConfigs.collector), 'logs.yaml')],
  ...['jaeger.yaml', 'clustered.yaml', 'solo.yaml'].map((name) => ['jaeger', join(jaegerFolder, name)] as const),
]

for (const [program, file] of files) {
  const name = `${basename(dirname(file))}/${basename(file)}`
  programTest(`${program} accepts ${name} and rejects a misspelt key`, [program], async ({ folder, check }) => {
    const sound = await check('validate', `--config=${file}`)
    assert.ok(sound.ok, sound.text)
    const wrong = join(folder, 'wrong.yaml')
    await writeFile(wrong, (await readFile(file, 'utf8')).replaceAll(/(endpoint|start_at):/g, 'misspelt:'))
    const { ok, text } = await check('validate', `--config=${wrong}`)
    assert.equal(ok, false)
    assert.match(text, /misspelt/)
  })
}

const title = 'a second configuration file adds the user name of the clustered store'
programTest(title, ['jaeger'], async ({ folder, check }) => {
  const store = join(folder, 'store.yaml')
  const auth = 'auth: { basic: { username: jaeger, password_file: /run/secrets/store } }'
  await writeFile(store, `extensions: { jaeger_storage: { backends: { spans: { opensearch: { ${auth} } } } } }\n`)
  const { ok, text } = await check('validate', `--config=${join(jaegerFolder, 'clustered.yaml')}`, `--config=${store}`)
  assert.ok(ok, text)
})
