import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type StackBinary, stackBinary } from '../stack/binaries.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { skipWithout } from '../testing/requirement.ts'
import { renderRules, rulesPage } from './alert-rules.ts'
import { renderRuleTests, ruleTestLengths } from './alert-tests.ts'
import { alertNames } from './alerts.ts'

leakCheck()

const run = promisify(execFile)
const otel = fileURLToPath(new URL('../../otel/', import.meta.url))

/** Output of a checker; `ok` if it exits with 0. Undefined, and the test is skipped, if the program is missing. */
async function runChecker(t: TestContext, name: StackBinary, ...args: string[]) {
  const found = await stackBinary(name)
  if ('missing' in found) {
    skipWithout(t, name, found.missing)
    return undefined
  }
  return run(found.path, args, { timeout: 300_000 }).then(
    ({ stdout, stderr }) => ({ ok: true, text: stdout + stderr }),
    (error: { stdout?: string; stderr?: string; message: string }) => ({
      ok: false,
      text: `${error.stdout}${error.stderr}` || error.message,
    }),
  )
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rules-'))
  t.after(() => rm(path, { recursive: true }))
  return path
}

test('promtool accepts the rules, shortened ones included, and rejects a broken one', async (t) => {
  const sound = await runChecker(t, 'promtool', 'check', 'rules', rulesPage)
  if (sound === undefined) return
  assert.ok(sound.ok, sound.text)
  const directory = await folder(t)
  for (const timeFactor of [0.1, 0.001]) {
    const file = join(directory, `${timeFactor}.yml`)
    await writeFile(file, renderRules({ timeFactor }))
    const shortened = await runChecker(t, 'promtool', 'check', 'rules', file)
    assert.ok(shortened?.ok, shortened?.text)
  }
  const broken = join(directory, 'broken.yml')
  await writeFile(broken, renderRules({ timeFactor: 1 }).replace('sum by', 'sum bye'))
  assert.equal((await runChecker(t, 'promtool', 'check', 'rules', broken))?.ok, false)
})

test('promtool: every alert fires and stays silent as its cases expect', async (t) => {
  const directory = await folder(t)
  const files: string[] = []
  for (const name of alertNames) {
    // Only the rule of the alert and those it refers to: all rules in every case take ten times as long.
    const rules = join(directory, `${name}.rules.yml`)
    const own = renderRules({ timeFactor: 1, only: [name] })
    const only = alertNames.filter((other) => other === name || own.includes(`alertname="${other}"`))
    await writeFile(rules, renderRules({ timeFactor: 1, only }))
    for (const length of ruleTestLengths) {
      const cases = renderRuleTests(length, [name])
      if (!cases.includes('- name:')) continue
      const file = join(directory, `${name}-${length}.yml`)
      await writeFile(file, cases.replace('../rules/mesh.yml', rules))
      files.push(file)
    }
  }
  assert.ok(files.length >= alertNames.length)
  const tested = await runChecker(t, 'promtool', 'test', 'rules', ...files)
  if (tested !== undefined) assert.ok(tested.ok, tested.text)
})

test('promtool: the cases detect a rule that never fires and one that always fires', async (t) => {
  const directory = await folder(t)
  const [rules, tests] = [join(directory, 'rules'), join(directory, 'rules-test')]
  await mkdir(rules)
  await mkdir(tests)
  const shipped = renderRules({ timeFactor: 1 })
  for (const [name, from, to] of [
    ['MeshLimitReached', 'mesh.limit.reached"', 'mesh.limit.never"'],
    ['MeshPipelineDown', 'up == 0', 'up >= 0'],
  ] as const) {
    const file = join(tests, `${name}.yml`)
    await writeFile(file, renderRuleTests('short', [name]))
    for (const [text, ok] of [
      [shipped, true],
      [shipped.replaceAll(from, to), false],
    ] as const) {
      await writeFile(join(rules, 'mesh.yml'), text)
      const tested = await runChecker(t, 'promtool', 'test', 'rules', file)
      if (tested === undefined) return
      assert.equal(tested.ok, ok, `${name}: ${tested.text}`)
    }
  }
})

test('promtool accepts the configuration of Prometheus with its rules', async (t) => {
  const directory = await folder(t)
  const config = join(directory, 'prometheus.yml')
  const text = await readFile(join(otel, 'prometheus.yml'), 'utf8')
  await writeFile(config, text.replaceAll('/etc/prometheus/rules', dirname(rulesPage)))
  const sound = await runChecker(t, 'promtool', 'check', 'config', config)
  if (sound === undefined) return
  assert.ok(sound.ok, sound.text)
  assert.match(sound.text, /23 rules found/)
  await writeFile(config, text.replace('scrape_interval', 'scrap_interval'))
  assert.equal((await runChecker(t, 'promtool', 'check', 'config', config))?.ok, false)
})

test('amtool accepts Alertmanager’s configuration and routes both severities', async (t) => {
  const config = join(otel, 'alertmanager.yml')
  const sound = await runChecker(t, 'amtool', 'check-config', config)
  if (sound === undefined) return
  assert.ok(sound.ok, sound.text)
  for (const severity of ['page', 'warn']) {
    const args = ['config', 'routes', 'test', `--config.file=${config}`, '--verify.receivers=operators']
    const routed = await runChecker(t, 'amtool', ...args, `severity=${severity}`, 'alertname=MeshSeedGiveup')
    assert.ok(routed?.ok, routed?.text)
  }
  const directory = await folder(t)
  const broken = join(directory, 'alertmanager.yml')
  await writeFile(broken, (await readFile(config, 'utf8')).replace('group_by', 'group_buy'))
  assert.equal((await runChecker(t, 'amtool', 'check-config', broken))?.ok, false)
})
