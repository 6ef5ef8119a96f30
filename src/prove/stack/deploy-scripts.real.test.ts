import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { skipWithout } from '../../testing/requirement.ts'
import { plainEnvironment, root, sh } from '../shell.ts'
import { composeCommands } from './containers.ts'

leakCheck()

const scripts = globSync('deploy/{*,lib/*,offline/*}.sh', { cwd: root })
const run = (command: string, cwd = root) => sh(command, cwd, plainEnvironment(), AbortSignal.timeout(60_000))

test('shellcheck on all scripts: no finding', async (t) => {
  assert.ok(scripts.length >= 10)
  if ((await run('command -v shellcheck')).code !== 0)
    return skipWithout(t, 'shellcheck', 'shellcheck is not installed')
  const { code, output } = await run(`shellcheck -x ${scripts.join(' ')}`)
  assert.equal(code, 0, output)
})

test('every script: prints --help, and exits with 2 for an unknown option', async () => {
  for (const script of scripts.filter((name) => /^deploy\/(start|stop|build|status|offline)\.sh$/.test(name))) {
    const help = await run(`${script} --help`)
    assert.equal(help.code, 0, `${script}: ${help.output}`)
    assert.match(help.output, /^usage: /)
    const wrong = await run(`${script} --nonsense`)
    assert.equal(wrong.code, 2, `${script}: ${wrong.output}`)
    assert.match(wrong.output, /--help/)
  }
})

test('compose.yaml: valid for each installed Compose', async (t) => {
  const found = []
  for (const compose of composeCommands) {
    if ((await run(`${compose} version`)).code !== 0) continue
    found.push(compose)
    const { code, output } = await run(`${compose} --profile grafana config --quiet`, resolve(root, 'deploy'))
    assert.equal(code, 0, `${compose}: ${output}`)
  }
  if (found.length === 0) skipWithout(t, 'compose', 'neither Compose v1 nor v2 is installed')
})
