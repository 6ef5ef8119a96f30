import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { descriptorsLeft } from './descriptors-left.ts'

leakCheck()

test('files that nobody closes: the finding names the kind', () => {
  const files = growing(6)
  const [finding, ...others] = descriptorsLeft.find(
    evidenceOf([processWith((s) => ({ 'mesh.audit.descriptors_file': files(s) }))]),
  )
  assert.equal(others.length, 0)
  assert.equal(finding?.owner.part, 'descriptors of files')
})

test('files that are opened and closed: nothing', () => {
  const story = processWith((s) => ({ 'mesh.audit.descriptors_file': (s / 5) % 12 }))
  assert.deepEqual(descriptorsLeft.find(evidenceOf([story])), [])
})

test('files that an application opened at once: nothing', () => {
  const story = processWith((s) => ({ 'mesh.audit.descriptors_file': s < 200 ? 0 : 40 }))
  assert.deepEqual(descriptorsLeft.find(evidenceOf([story])), [])
})
