import assert from 'node:assert/strict'
import { test } from 'node:test'
import { beginMs, evidenceOf, ProcessStory } from '../testing/doctor/process-story.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { readingOf } from './reading.ts'

leakCheck()

test('a reading: the last counts of each running process of the mesh, without totals and ages', () => {
  const well = new ProcessStory('node-1').censuses(2, (seconds) => ({ 'mesh.audit.peer_store': seconds }))
  well.registry('members', 95, 'node-1/view', { size: 7 })
  const ended = new ProcessStory('node-2').censuses(1).stop(61)
  const other = new ProcessStory('node-3', { mesh: 'mesh-b' }).censuses(2)
  const reading = readingOf(evidenceOf([well, ended, other]), 'mesh-a', beginMs + 120_000)
  assert.deepEqual(
    reading.processes.map(({ node }) => node),
    ['node-1'],
  )
  const counts = reading.processes[0]?.counts ?? {}
  assert.equal(counts['peer_store'], 95)
  assert.equal(counts['registry members of view'], 7)
  assert.equal(counts['streams /meshsub/1.2.0 in'], 4)
  assert.ok(
    !Object.keys(counts).some(
      (name) => /_total|oldest_s|half_closed$|sweeps/.test(name) && !name.startsWith('streams_'),
    ),
  )
})

test('a protocol that the last census does not list: none of its streams', () => {
  const story = new ProcessStory('node-1').census(5, { 'mesh.audit.protocols': ['/blobs/1.0.0 9 0 0 1'] })
  const reading = readingOf(evidenceOf([story.census(35)]), 'mesh-a', beginMs + 40_000)
  assert.equal(reading.processes[0]?.counts['streams /blobs/1.0.0 in'], 0)
})

test('a process that has been silent for three censuses: left out', () => {
  const story = new ProcessStory('node-1').censuses(2)
  assert.deepEqual(readingOf(evidenceOf([story]), 'mesh-a', beginMs + 200_000).processes, [])
})
