import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, ProcessStory, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { diagnose } from '../diagnose.ts'
import { rules } from './all.ts'
import { growthUnknown } from './growth-unknown.ts'

leakCheck()

test('a count that no rule knows grows: the finding names it and its node', () => {
  const [finding] = growthUnknown.find(
    evidenceOf([processWith((s) => ({ 'mesh.audit.topologies': 9 + growing(12)(s) }))]),
  )
  assert.deepEqual([finding?.owner.node, finding?.owner.part], ['node-1', 'topologies'])
})

test('a count of a later version grows: the finding names it, too', () => {
  const [finding] = growthUnknown.find(evidenceOf([processWith((s) => ({ 'mesh.audit.tunnels': growing(60)(s) }))]))
  assert.equal(finding?.owner.part, 'tunnels')
})

test('growth that another rule names: one answer, the named one', () => {
  const { findings } = diagnose(
    evidenceOf([processWith((s) => ({ 'mesh.audit.descriptors_file': growing(30)(s) }))]),
    rules,
  )
  assert.deepEqual(
    findings.map(({ disease }) => disease),
    ['descriptors-left'],
  )
  assert.deepEqual(
    findings[0]?.symptoms.map(({ disease }) => disease),
    ['growth-unknown'],
  )
})

test('a broken invariant without a rule of its own: its owner is named', () => {
  const story = new ProcessStory('node-1').censuses(5).broken('owned-conserved', 'owner', 95, 275)
  assert.equal(growthUnknown.find(evidenceOf([story]))[0]?.owner.part, 'owner')
})

test('messages that stay for two minutes: nothing', () => {
  assert.deepEqual(growthUnknown.find(evidenceOf([processWith((s) => ({ 'mesh.audit.gossip.seen': 8 * s }))])), [])
})

test('cumulative counts: nothing', () => {
  const story = processWith((s) => ({ 'mesh.audit.frames_in': 90 * s, 'mesh.audit.refused_total': s }))
  assert.deepEqual(growthUnknown.find(evidenceOf([story])), [])
})
