import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parse } from 'yaml'
import { leakCheck } from './leak-check.ts'
import { isOnPath, type Machine, type Provision, requirements, skipWithout } from './requirement.ts'
import { temporaryDirectory } from './surroundings.ts'

leakCheck()

const root = resolve(import.meta.dirname, '../..')

/** A directory with these programs, for a PATH. */
async function binWith(t: TestContext, ...programs: readonly string[]): Promise<string> {
  const bin = temporaryDirectory(t)
  for (const name of programs) await writeFile(join(bin, name), '', { mode: 0o755 })
  return bin
}

/** The reason that the test was skipped for. */
function skipReason(name: keyof typeof requirements, machine: Machine): string | undefined {
  const reasons: (string | undefined)[] = []
  skipWithout({ skip: (reason) => void reasons.push(reason) }, name, 'it is missing', machine)
  return reasons[0]
}

test('a missing requirement with CI=true: the test fails where .ci/run provides it, else it is skipped', async (t) => {
  const [debian, withGo, neither] = [await binWith(t, 'apt-get'), await binWith(t, 'go'), await binWith(t)]
  const ofRoot = (PATH: string): Machine => ({ env: { CI: 'true', PATH }, uid: 0 })
  const ofUser = (PATH: string): Machine => ({ env: { CI: 'true', PATH }, uid: 1_000 })
  const withoutCi = (PATH: string): Machine => ({ env: { PATH }, uid: 0 })
  const cases = [
    { name: 'chromium', fails: [ofRoot(debian)], skips: [ofUser(debian), ofRoot(neither), withoutCi(debian)] },
    { name: 'promtool', fails: [ofRoot(withGo), ofUser(withGo)], skips: [ofRoot(debian), withoutCi(withGo)] },
    { name: 'network namespaces', fails: [], skips: [ofRoot(debian), ofUser(withGo)] },
  ] as const
  for (const { name, fails, skips } of cases) {
    const expected = { message: new RegExp(`it is missing.+provides ${name}.+${requirements[name].cure}`) }
    for (const machine of fails) assert.throws(() => skipReason(name, machine), expected, name)
    for (const machine of skips) assert.equal(skipReason(name, machine), 'it is missing', name)
  }
})

const provisions: Readonly<Record<Provision, string>> = {
  'as root': 'as root on Debian',
  'with Go': 'if Go is installed',
  never: 'no',
}

test('CONTRIBUTING.md lists every requirement as the code does', async () => {
  const text = await readFile(join(root, 'CONTRIBUTING.md'), 'utf8')
  const [, table = ''] = /^\| requirement .+\n\| --- .+\n((?:\|.+\n)+)/m.exec(text) ?? []
  const rows = Object.entries(requirements).map(
    ([name, { use, provided, cure }]) => `| ${name} | ${use} | ${provisions[provided]} | ${codeOf(cure)} |`,
  )
  assert.deepEqual(table.trimEnd().split('\n'), rows)
})

/** A command as code, a condition as text. */
function codeOf(cure: string): string {
  return cure.startsWith('a ') ? cure : `\`${cure}\``
}

test('.ci/run installs the Debian packages that the table names', async () => {
  const script = await readFile(join(root, '.ci/run'), 'utf8')
  for (const [name, { provided, cure }] of Object.entries(requirements)) {
    const packageName = /^apt-get install (.+)$/.exec(cure)?.[1]
    if (provided === 'as root' && packageName !== undefined)
      assert.match(script, new RegExp(`\\b${name}:${packageName}\\b`))
  }
  assert.match(script, /^export CI=true$/m)
})

interface Workflow {
  readonly on: object
  readonly permissions: object
  readonly jobs: Readonly<
    Record<string, { readonly steps: readonly { readonly uses?: string; readonly run?: string }[] }>
  >
}

/** Steps of a workflow that use an action without its complete version, or that run something else than a program. */
function wrongSteps({ jobs }: Workflow): unknown[] {
  const steps = Object.values(jobs).flatMap(({ steps }) => steps)
  return steps.filter(({ uses, run = '' }) =>
    uses === undefined ? !isOnPath(basename(run), { PATH: join(root, dirname(run)) }) : !/@v\d+\.\d+\.\d+$/.test(uses),
  )
}

test('the workflow of the forge: runs .ci/run on every push, may only read, pins its actions, names no registry', async () => {
  const text = await readFile(join(root, '.github/workflows/ci.yml'), 'utf8')
  const workflow = parse(text, { strict: true }) as Workflow
  assert.deepEqual(Object.keys(workflow.on), ['push', 'pull_request'])
  assert.deepEqual(workflow.permissions, { contents: 'read' })
  assert.deepEqual(wrongSteps(workflow), [])
  assert.match(text, /^ +- run: \.ci\/run$/m)
  assert.doesNotMatch(text, /registry|https?:/)
  const steps = [{ uses: 'actions/checkout@v6' }, { run: '.ci/nothing' }, { run: 'README.md' }]
  assert.deepEqual(wrongSteps({ ...workflow, jobs: { ci: { steps } } }), steps)
})
