import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { cleanStories } from '../../testing/doctor/clean-stories.ts'
import { evidenceOf, growing, type ProcessStory, processWith } from '../../testing/doctor/process-story.ts'
import { forAll } from '../../testing/for-all.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { diagnose } from '../diagnose.ts'
import { rules } from './all.ts'

leakCheck()

for (const [situation, stories] of Object.entries(cleanStories)) {
  test(`${situation}: no rule finds anything`, () => {
    const { findings, verdict } = diagnose(evidenceOf(stories()), rules)
    assert.deepEqual(findings, [])
    assert.equal(verdict, 'healthy')
  })
}

test('the rules: each has a file of its name, and no two have one name', () => {
  const files = readdirSync(import.meta.dirname).filter((name) => !name.endsWith('.test.ts'))
  const named = rules.map(({ name }) => `${name}.ts`)
  assert.deepEqual(
    named.filter((name) => !files.includes(name)),
    [],
  )
  assert.equal(new Set(named).size, named.length)
})

test('spans in any order, and all of them twice: the same answer', async (t) => {
  const story = processWith((s) => ({ 'mesh.audit.sockets_udp': 3 + growing(30)(s) }))
  story.broken('one-link-per-pair', 'ledger', 95, 605)
  const expected = diagnose(evidenceOf([story]), rules)
  const twice = [...story.spans, ...story.spans]
  await forAll({ t, numRuns: 20 }, [fc.shuffledSubarray(twice, { minLength: twice.length })], (spans) => {
    const shuffled = Object.create(story, { spans: { value: spans } }) as ProcessStory
    assert.deepEqual(diagnose(evidenceOf([shuffled]), rules).findings, expected.findings)
  })
})
