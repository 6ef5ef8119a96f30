import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, ProcessStory, processWith } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { telemetryLost } from './telemetry-lost.ts'

leakCheck()

test('a node that says it lost spans: certain, with the number and the place', () => {
  const story = processWith((s) => ({ 'mesh.telemetry.lost_total': s < 300 ? 0 : 40 })).span(
    'mesh.telemetry.lost',
    310,
    {
      'mesh.lost.count': 40,
      'mesh.lost.where': 'ring',
    },
  )
  const [finding] = telemetryLost.find(evidenceOf([story]))
  assert.deepEqual([finding?.certainty, finding?.owner.part], ['certain', 'telemetry, ring'])
  assert.match(finding?.summary ?? '', /lost 40 spans/)
})

/** Every third span lost on its way. */
function withGaps(): ProcessStory[] {
  const story = processWith(() => ({}), 60)
  return [Object.create(story, { spans: { value: story.spans.filter((_, i) => i % 3 !== 1) } }) as ProcessStory]
}

test('numbers that are missing between spans that came: the evidence is not enough, since the node may be well', () => {
  assert.equal(telemetryLost.find(evidenceOf(withGaps()))[0]?.certainty, 'insufficient')
})

test('the same where only a part of the spans was asked for: nothing', () => {
  assert.deepEqual(telemetryLost.find(evidenceOf(withGaps(), { complete: false, partial: [] })), [])
})

test('a node that has become silent: nothing, since no later number came', () => {
  assert.deepEqual(
    telemetryLost.find(evidenceOf([processWith(() => ({}), 2), new ProcessStory('node-2').censuses(20)])),
    [],
  )
})

test('a window that begins in the middle of a life: nothing', () => {
  const story = processWith(() => ({}), 60)
  const late = Object.create(story, { spans: { value: story.spans.slice(20) } }) as ProcessStory
  assert.deepEqual(telemetryLost.find(evidenceOf([late])), [])
})

test('a short life of which a third is missing: not enough evidence; of which two spans are: nothing', () => {
  const story = processWith(() => ({}), 8)
  const without = (lost: number) =>
    Object.create(story, { spans: { value: story.spans.filter((_, i) => i < 1 || i > lost) } }) as ProcessStory
  assert.equal(telemetryLost.find(evidenceOf([without(5)]))[0]?.certainty, 'insufficient')
  assert.deepEqual(telemetryLost.find(evidenceOf([without(2)])), [])
})
