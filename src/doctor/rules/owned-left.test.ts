import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, ProcessStory, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { ownedLeft } from './owned-left.ts'

leakCheck()

test('timers of an owner that it does not release: owner and kind are named', () => {
  const story = processWith((s) => ({ 'mesh.audit.owned': [`node-1/network timer ${1 + growing(20)(s)}`] }))
  assert.equal(ownedLeft.find(evidenceOf([story]))[0]?.owner.part, 'timers of node-1/network')
})

test('counts of the owners that do not add up: certain', () => {
  const story = new ProcessStory('node-1').censuses(5).broken('owned-conserved', 'owner', 95, 275)
  assert.equal(ownedLeft.find(evidenceOf([story]))[0]?.certainty, 'certain')
})

test('resources of connections that come: nothing', () => {
  const story = processWith((s) => ({
    'mesh.audit.connections': s,
    'mesh.audit.owned': [`node-1/network resource ${3 * s}`],
  }))
  assert.deepEqual(ownedLeft.find(evidenceOf([story])), [])
})

test('dials that begin and end: nothing', () => {
  const story = processWith((s) => ({ 'mesh.audit.owned': s % 3 === 0 ? [`node-1/network owner 40`] : [] }))
  assert.deepEqual(ownedLeft.find(evidenceOf([story])), [])
})
