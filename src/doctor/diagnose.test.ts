import assert from 'node:assert/strict'
import { test } from 'node:test'
import { complete, evidenceOf, ProcessStory } from '../testing/doctor/process-story.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { diagnose } from './diagnose.ts'
import { EvidenceFold } from './evidence/fold.ts'

leakCheck()

const clean = (node: string) => new ProcessStory(node).censuses(3)

test('clean nodes: healthy', () => {
  assert.equal(diagnose(evidenceOf([clean('node-1')]), []).verdict, 'healthy')
})

test('more processes than there is room for, without a finding: unclear, and why', () => {
  const fold = new EvidenceFold()
  const stories = Array.from({ length: 520 }, (_, index) => clean(`node-${index}`))
  for (let span = 0; span < 6; span++)
    for (const { spans } of stories) {
      const one = spans[span]
      if (one !== undefined) fold.add(one)
    }
  const { verdict, partial } = diagnose(fold.evidence(complete), [])
  assert.equal(verdict, 'unclear')
  assert.match(partial.join(), /of more than 512 processes some found no room/)
})

test('a node that ran for minutes without a census: unclear, since nothing of it was counted', () => {
  const silent = new ProcessStory('node-2').span('mesh.node.started', 0).span('mesh.seed.connected', 170)
  const short = new ProcessStory('node-3').span('mesh.node.started', 0).span('mesh.seed.connected', 20)
  assert.equal(diagnose(evidenceOf([clean('node-1'), silent]), []).verdict, 'unclear')
  assert.equal(diagnose(evidenceOf([clean('node-1'), short]), []).verdict, 'healthy')
})
