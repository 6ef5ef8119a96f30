import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { cleanStories } from '../../testing/doctor/clean-stories.ts'
import { evidenceOf } from '../../testing/doctor/process-story.ts'
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
