import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { leakCheck } from './leak-check.ts'
import { temporaryDirectory } from './surroundings.ts'

leakCheck()

const modules = { requirement: './requirement.ts', binaries: '../stack/binaries.ts' }
const [requirement, binaries] = Object.values(modules).map((path) => JSON.stringify(import.meta.resolve(path)))
const needsPromtool = `
  import { test } from 'node:test'
  import { skipWithout } from ${requirement}
  import { stackBinary } from ${binaries}
  test('rules are valid', async (t) => {
    const found = await stackBinary('promtool')
    if ('missing' in found) return skipWithout(t, 'promtool', found.missing)
  })`

/** Runs these test files through the runner, on a machine with no program but those named. */
async function runTests(t: TestContext, files: Record<string, string>, { ci = false, programs = [] as string[] } = {}) {
  const directory = temporaryDirectory(t)
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
  for (const name of programs) await writeFile(join(directory, name), '', { mode: 0o755 })
  // With NODE_TEST_CONTEXT the runner would report to this test run.
  const { NODE_TEST_CONTEXT: _, TRACEMESH_STACK: __, CI: ___, ...others } = process.env
  const env = { ...others, HOME: directory, PATH: directory, ...(ci && { CI: 'true' }) }
  const runner = join(import.meta.dirname, 'run-tests.ts')
  return new Promise<{ code: unknown; output: string }>((resolve) =>
    execFile(process.execPath, [runner, '--no-lint', '--in', directory], { env, timeout: 60_000 }, (error, stdout) =>
      resolve({ code: error?.code ?? 0, output: stdout }),
    ),
  )
}

test('a test without promtool: the run passes, and ends with the skip and its reason', async (t) => {
  const { code, output } = await runTests(t, { 'a.test.ts': needsPromtool })
  assert.equal(code, 0, output)
  assert.match(output, /ℹ tests 1\n.*ℹ pass 0\n.*ℹ skipped 1\n/s)
  const last = /\nSKIPPED \S+a\.test\.ts: rules are valid, because promtool is neither .+\n1 skipped\n$/
  assert.match(output, last)
})

test('a test without promtool, CI=true: fails where .ci/run can build promtool, and names the cure', async (t) => {
  const { code, output } = await runTests(t, { 'a.test.ts': needsPromtool }, { ci: true, programs: ['go'] })
  assert.equal(code, 1, output)
  assert.match(
    output,
    /With CI=true this fails, since \.ci\/run provides promtool\. Cure: deploy\/offline\.sh binaries/,
  )
  assert.doesNotMatch(output, /^SKIPPED/m)
})

test('a test file that registers no test: the run fails and names the file', async (t) => {
  const files = {
    'a.test.ts': `import { test } from 'node:test'; test('passes', () => {})`,
    'b.test.ts': `import { before, describe } from 'node:test'; before(() => {}); describe('nothing', () => {})`,
    'c.test.ts': 'process.exit(0)',
  }
  const { code, output } = await runTests(t, files)
  assert.equal(code, 1, output)
  for (const name of ['b', 'c']) assert.match(output, new RegExp(`^FAILED \\S+${name}\\.test\\.ts: 0 tests`, 'm'))
  assert.doesNotMatch(output, /^FAILED \S+a\.test\.ts/m)
})
