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

interface Case {
  readonly title: string
  readonly rule: rules.Rule
  /** Samples that must be found out, and samples that must not. */
  readonly bad: readonly rules.Source[]
  readonly good: readonly rules.Source[]
}

const at = (path: string, ...texts: string[]) => texts.map((text) => ({ path, text }))
const [field, only] = ['  readonly #peers = new Map<string, Peer>()', 'on' + 'ly']

const cases: readonly Case[] = [
  {
    title: 'collections that live long are made by an owner',
    rule: rules.ownedCollections,
    bad: at('kit/a.ts', field, '  seen: Set<string> = new Set()', 'const cache = new Map()', '    this.#a = new Set()'),
    good: [...at('kit/a.ts', '  const local = new Set(ids)'), ...at('core/owned-map.ts', field)],
  },
  {
    title: 'no source is longer than 300 lines',
    rule: rules.shortFiles,
    bad: at('kit/a.ts', 'x\n'.repeat(301)),
    good: [...at('kit/a.ts', 'x\n'.repeat(300)), ...at('kit/a.test.ts', 'x\n'.repeat(301))],
  },
  {
    title: 'nothing is written to the console',
    rule: rules.noConsole,
    bad: at('kit/a.ts', `${'console'}.log('here')`),
    good: at('kit/a.ts', 'log.info("here")'),
  },
  {
    title: 'every test file checks for leaks',
    rule: rules.leakChecked,
    bad: at('kit/a.test.ts', 'test(', '// leakCheck()'),
    good: [...at('kit/a.test.ts', 'x\nleakCheck()\n'), ...at('kit/a.ts', '')],
  },
  {
    title: 'core stands on itself and the catalogue',
    rule: rules.pureCore,
    bad: at('core/a.ts', `import { b } from '../kit/b.ts'`, `import 'node:fs'`, `await import('libp2p')`),
    good: at('core/a.ts', `import { b } from './b.ts'`, `import type { c } from '../catalogue/c.ts'`),
  },
  {
    title: 'core and telemetry know nothing of libp2p',
    rule: rules.withoutLibp2p,
    bad: at('telemetry/a.ts', `import { createLibp2p } from 'libp2p'`, `import type { P } from '@libp2p/interface'`),
    good: [...at('telemetry/a.ts', `import { b } from './b.ts'`), ...at('kit/a.ts', `import 'libp2p'`)],
  },
  {
    title: 'core and kit have their time from the clock that they are given',
    rule: rules.ownClock,
    bad: at('kit/a.ts', 'Date.now() - openedAt', 'const at = performance.now()'),
    good: [...at('kit/a.ts', 'clock.now()'), ...at('kit/clock.ts', 'now: () => performance.now(),')],
  },
  {
    title: 'the product speaks of itself alone',
    rule: rules.ownWords,
    bad: at('kit/a.ts', `// see ${'/wo'}rk/notes`, `// an ${'Assis'}tant wrote this`),
    good: at('kit/a.ts', '// how it works'),
  },
  {
    title: 'no test is left out',
    rule: rules.allTestsRun,
    bad: at('kit/a.test.ts', `test.${only}('a')`, `test('a', { ${'sk' + 'ip'}: true })`),
    good: at('kit/a.test.ts', `test('a')`),
  },
]

for (const { title, rule, bad, good } of cases) {
  test(title, () => {
    for (const sample of bad) assert.notDeepEqual(rule(sample), [], `not found out: ${sample.text.slice(0, 80)}`)
    for (const sample of good) assert.deepEqual(rule(sample), [])
    assert.deepEqual(
      sources.flatMap((source) => rule(source).map((what) => `${source.path} ${what}`)),
      [],
    )
  })
}

test('every error code is used', () => {
  assert.deepEqual(rules.unusedErrors('  MESH_LOST: x,\n  MESH_USED: x,', at('kit/a.ts', `'MESH_USED'`)), ['MESH_LOST'])
  const errors = sources.find(({ path }) => path === 'core/errors.ts')
  const others = sources.filter((source) => source !== errors)
  assert.deepEqual(rules.unusedErrors(errors?.text ?? '', others), [])
})
