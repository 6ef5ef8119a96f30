import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, growing, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { streamsLeft } from './streams-left.ts'

leakCheck()

/** A node with streams of one protocol. */
const withStreams = (node: string, lineAt: (seconds: number) => string, minutes = 10) =>
  new ProcessStory(node).censuses(minutes, (s) => ({ 'mesh.audit.protocols': [`/meshsub/1.2.0 4 4 0 9`, lineAt(s)] }))
const open = growing(30, 60)
const find = (...stories: readonly ProcessStory[]) => streamsLeft.find(evidenceOf(stories))

test('streams that one node opens and nobody closes: it is the owner, and the other end is named', () => {
  const findings = find(
    withStreams('node-1', (s) => `/chat/1 ${open(s)} 0 0 9`),
    withStreams('node-2', (s) => `/chat/1 0 ${open(s)} 0 9`),
  )
  assert.deepEqual(
    findings.map(({ owner, alsoAt }) => [owner.node, owner.part, alsoAt]),
    [['node-2', 'streams /chat/1 out', ['node-1']]],
  )
})

test('streams that the opener has finished, half closed: the end that accepted them is the owner', () => {
  const findings = find(
    withStreams('node-1', (s) => `/chat/1 ${open(s)} 0 ${open(s)} 9`),
    withStreams('node-2', (s) => `/chat/1 0 ${open(s)} ${open(s)} 9`),
  )
  assert.deepEqual(
    findings.map(({ owner }) => owner.part),
    ['streams /chat/1 in'],
  )
})

/** Streams whose opener lost most of its censuses. */
const lossy = (node: string, lineAt: (seconds: number) => string) => {
  const story = withStreams(node, lineAt)
  const spans = story.spans.filter((_, index) => index < 3 || index === 19)
  return Object.create(story, { spans: { value: spans } }) as ProcessStory
}

test('the opener lost its censuses, and one of them shows such streams: it is the owner', () => {
  const findings = find(
    withStreams('node-1', (s) => `/chat/1 ${open(s)} 0 0 9`),
    lossy('node-2', (s) => `/chat/1 0 ${open(s)} 0 9`),
    withStreams('node-3', () => '/rpc/1 0 1 0 9'),
  )
  assert.deepEqual(
    findings.map(({ certainty, owner, alsoAt }) => [certainty, owner.node, owner.part, alsoAt]),
    [['likely', 'node-2', 'streams /chat/1 out', ['node-1']]],
  )
})

test('a node lost its censuses, and may have opened them: not enough evidence', () => {
  const findings = find(
    withStreams('node-1', (s) => `/chat/1 ${open(s)} 0 0 9`),
    lossy('node-2', () => '/rpc/1 0 1 0 9'),
  )
  assert.deepEqual(
    findings.map(({ certainty, missing }) => [certainty, missing]),
    [['insufficient', 'censuses of node-2, which may have opened them']],
  )
})

test('a leak that a limit stopped: the streams are still there', () => {
  const story = new ProcessStory('node-1').censuses(10, (s) => ({
    'mesh.audit.protocols': [`/chat/1 0 ${Math.min(250, s)} 0 9`],
    'mesh.audit.limits': s < 250 ? [] : [`streamsPerPeer ${s - 250} -/256`],
  }))
  assert.equal(find(story)[0]?.growth?.to, 250)
})

test('streams that come with connections: nothing', () => {
  const story = new ProcessStory('node-1').censuses(10, (s) => ({
    'mesh.audit.connections': s,
    'mesh.audit.protocols': [`/meshsub/1.2.0 ${s} ${s} 0 9`],
  }))
  assert.deepEqual(find(story), [])
})

test('requests that are answered: nothing', () => {
  assert.deepEqual(find(withStreams('node-1', (s) => `/rpc/1 ${(s * 7) % 60} 0 0 1`)), [])
})

test('as many streams as an application needs from its start on: nothing', () => {
  assert.deepEqual(find(withStreams('node-1', (s) => `/bulk/1 0 ${Math.min(64, 4 * s)} 0 9`)), [])
})

test('a rise over three censuses: not enough evidence', () => {
  assert.equal(find(withStreams('node-1', (s) => `/chat/1 0 ${1.2 * s} 0 9`, 1.2))[0]?.certainty, 'insufficient')
})
