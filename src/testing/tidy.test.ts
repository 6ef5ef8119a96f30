import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { leakCheck } from './leak-check.ts'
import * as rules from './tidy-rules.ts'

leakCheck()

const src = resolve(import.meta.dirname, '..')
const sources = globSync('**/*.{ts,tsx,js}', { cwd: src }).map((path) => ({
  path: path.replaceAll('\\', '/'),
  text: readFileSync(join(src, path), 'utf8'),
}))

/** Rooms that may still contain retired words. Delete a room from this list once it is clean. */
const retiredIn: readonly string[] = []
/** The directory in `src`, `src` for the files directly in it, else the first part of the path. */
const roomOf = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1] ?? path.split('/')[0] ?? ''
const root = resolve(src, '..')
const texts = globSync(
  [
    'src/**/*.{ts,tsx,js,mjs,css,html,json,md}',
    '{README,CONTRIBUTING,SECURITY}.md',
    '.ci/*',
    '{docs,deploy,examples,otel,jaeger}/**/*{.md,.sh,.yaml,.yml,.env,.go,Dockerfile}',
  ],
  { cwd: root },
).map((path) => ({ path: path.replaceAll('\\', '/'), text: readFileSync(join(root, path), 'utf8') }))
const cleanRooms = texts.filter(({ path }) => !retiredIn.includes(roomOf(path)))

interface Case {
  readonly title: string
  readonly rule: rules.Rule
  /** The files to check; by default the sources. */
  readonly files?: readonly rules.Source[]
  /** Samples that violate the rule, and samples that do not. */
  readonly bad: readonly rules.Source[]
  readonly good: readonly rules.Source[]
}

const at = (path: string, ...texts: string[]) => texts.map((text) => ({ path, text }))
const [field, only, skip] = ['  readonly #peers = new Map<string, Peer>()', 'on' + 'ly', 'sk' + 'ip']

const cases: readonly Case[] = [
  {
    title: 'a long-lived collection: only an owner creates it',
    rule: rules.ownedCollections,
    bad: at('kit/a.ts', field, '  seen: Set<string> = new Set()', 'const cache = new Map()', '    this.#a = new Set()'),
    good: [...at('kit/a.ts', '  const local = new Set(ids)'), ...at('core/owned-map.ts', field)],
  },
  {
    title: 'a source file: at most 400 lines',
    rule: rules.shortFiles,
    bad: at('kit/a.ts', 'x\n'.repeat(401)),
    good: [...at('kit/a.ts', 'x\n'.repeat(400)), ...at('kit/a.test.ts', 'x\n'.repeat(401))],
  },
  {
    title: 'a source file: does not write to the console',
    rule: rules.noConsole,
    bad: at('kit/a.ts', `${'console'}.log('here')`),
    good: at('kit/a.ts', 'log.info("here")', `   * ${'console'}.log('here')`),
  },
  {
    title: 'a test file: calls leakCheck',
    rule: rules.leakChecked,
    bad: at('kit/a.test.ts', 'test(', '// leakCheck()'),
    good: [...at('kit/a.test.ts', 'x\nleakCheck()\n'), ...at('kit/a.ts', '')],
  },
  {
    title: 'a file of core: imports only core and the catalogue',
    rule: rules.pureCore,
    bad: [
      ...at('core/a.ts', `import { b } from '../kit/b.ts'`, `import 'node:fs'`, `await import('libp2p')`),
      ...at('core/spans/a.ts', `import { b } from '../../kit/b.ts'`, `import { b } from '../../../core/b.ts'`),
    ],
    good: [
      ...at('core/a.ts', `import { b } from './b.ts'`, `import type { c } from '../catalogue/c.ts'`),
      ...at('core/a.ts', `import { emitB } from './spans/b.ts'`),
      ...at('core/spans/a.ts', `import type { b } from '../b.ts'`, `import { c } from '../../catalogue/c.ts'`),
    ],
  },
  {
    title: 'a file of core: leaves the building of spans to core/spans',
    rule: rules.spansInOneFolder,
    bad: at(
      'core/a.ts',
      `import { emitSpan, type SpanEffect } from '../catalogue/span-effect.ts'`,
      `import {\n  type SpanEffect,\n  emitSpan,\n} from '../catalogue/span-effect.ts'`,
    ),
    good: [
      ...at('core/a.ts', `import type { SpanEffect } from '../catalogue/span-effect.ts'`, '  emitSpan(effect, window)'),
      ...at('core/spans/a.ts', `import { emitSpan } from '../../catalogue/span-effect.ts'`),
      ...at('kit/a.ts', `import { emitSpan } from '../catalogue/span-effect.ts'`),
    ],
  },
  {
    title: 'a file of core or telemetry: does not import libp2p',
    rule: rules.withoutLibp2p,
    bad: at('telemetry/a.ts', `import { createLibp2p } from 'libp2p'`, `import type { P } from '@libp2p/interface'`),
    good: [...at('telemetry/a.ts', `import { b } from './b.ts'`), ...at('kit/a.ts', `import 'libp2p'`)],
  },
  {
    title: 'a file of core or kit: reads time only from its clock',
    rule: rules.ownClock,
    bad: at('kit/a.ts', 'Date.now() - openedAt', 'const at = performance.now()'),
    good: [...at('kit/a.ts', 'clock.now()'), ...at('kit/clock.ts', 'now: () => performance.now(),')],
  },
  {
    title: 'a source file: does not mention the environment it was written in',
    rule: rules.ownWords,
    bad: at('kit/a.ts', `// see ${'/wo'}rk/notes`, `// an ${'Assis'}tant wrote this`),
    good: at('kit/a.ts', '// how it works'),
  },
  {
    title: 'a text of a clean room: has no retired word',
    rule: rules.retiredWords,
    files: cleanRooms,
    bad: [
      ...at('src/kit/a.ts', `  #${'te'}ll(span) {`, `const l: ${'Link'}Talk`, `import './${'rude'}-peer.ts'`),
      ...at(
        'docs/a.md',
        `Who${'ever'} dials`,
        `a peer is ${'to'}ld`,
        `what is ${'he'}ld`,
        `where there is\n${'no'}ne.`,
      ),
      ...at('src/kit/a.ts', ` * The number of what is\n * ${'he'}ld.`, `// what is\n  // ${'he'}ld`),
      ...at('deploy/compose.yaml', `x-${'to'}ld: &env`),
    ],
    good: [
      ...at(
        'src/kit/a.ts',
        'const settled = await emitSpan()',
        `intelligent, storyteller, retold`,
        `gossip === 'none'`,
      ),
      ...at('docs/a.md', 'nonetheless', 'x-node-env', 'This nonempty text is nonsense.'),
    ],
  },
  {
    title: 'a test: skips only without a requirement',
    rule: rules.allTestsRun,
    bad: at('kit/a.test.ts', `test.${only}('a')`, `test('a', { ${skip}: true })`, `t.${skip}('no openssl')`),
    good: at('kit/a.test.ts', `test('a')`),
  },
  {
    title: 'a file: starts processes with Subprocess',
    rule: rules.supervised,
    bad: at('lab/a.ts', `import { type ChildProcess, ${'spawn'} } from 'node:child_process'`),
    good: at('lab/a.ts', `import { execFile } from 'node:child_process'`),
  },
  {
    title: 'a unit test: does not sleep',
    rule: rules.noSleeps,
    bad: at('kit/a.test.ts', `await ${'sleep'}(200)`, `await new Promise((done) => ${'setTimeout'}(done, 20))`),
    good: [...at('kit/a.real.test.ts', `await ${'sleep'}(200)`), ...at('kit/a.test.ts', 'await until(isOpen, 5_000)')],
  },
]

for (const { title, rule, files = sources, bad, good } of cases) {
  test(title, () => {
    for (const sample of bad) assert.notDeepEqual(rule(sample), [], `no violation in: ${sample.text.slice(0, 80)}`)
    for (const sample of good) assert.deepEqual(rule(sample), [])
    assert.deepEqual(
      files.flatMap((source) => rule(source).map((what) => `${source.path} ${what}`)),
      [],
    )
  })
}

test('an error code: some source uses it', () => {
  assert.deepEqual(rules.unusedErrors('  MESH_LOST: x,\n  MESH_USED: x,', at('kit/a.ts', `'MESH_USED'`)), ['MESH_LOST'])
  const errors = sources.find(({ path }) => path === 'core/errors.ts')
  const others = sources.filter((source) => source !== errors)
  assert.deepEqual(rules.unusedErrors(errors?.text ?? '', others), [])
})
