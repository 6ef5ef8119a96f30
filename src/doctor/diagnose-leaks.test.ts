import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, ProcessStory } from '../testing/doctor/process-story.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { diagnose } from './diagnose.ts'
import { type DiseaseName, memoryPart } from './diseases.ts'
import type { Finding } from './finding.ts'

leakCheck()

const finding = (disease: DiseaseName, node: string, part = '', more: Partial<Finding> = {}): Finding => ({
  disease,
  owner: { mesh: 'mesh-a', node, instance: node, part },
  certainty: 'likely',
  sinceMs: undefined,
  summary: '',
  proof: [],
  ...more,
})

/** Names of the causes that stay. */
function causesOf(...findings: readonly Finding[]): string[] {
  const evidence = evidenceOf([new ProcessStory('node-1').censuses(2)])
  const { findings: ranked } = diagnose(evidence, [{ name: 'all', find: () => findings }])
  return ranked.map(({ disease, owner }) => `${disease} ${owner.node}`)
}

test('growth of unknown cause beside a named one of its node: the named one stays', () => {
  assert.deepEqual(causesOf(finding('growth-unknown', 'node-1'), finding('sockets-left', 'node-1')), [
    'sockets-left node-1',
  ])
})

test('growth of unknown cause at another node: both stay', () => {
  assert.deepEqual(causesOf(finding('growth-unknown', 'node-2'), finding('sockets-left', 'node-1')), [
    'sockets-left node-1',
    'growth-unknown node-2',
  ])
})

test('growth of unknown cause at a node that is named with the cause: the cause stays', () => {
  const topics = finding('topics-left', 'node-1', '', { alsoAt: ['node-2'] })
  assert.deepEqual(causesOf(finding('growth-unknown', 'node-2'), topics), ['topics-left node-1'])
})

test('gossip of a pair, one end of which has connections left open: the connections are the cause', () => {
  const link = finding('link-left-open', 'node-1', '', { alsoAt: ['node-2'], certainty: 'certain' })
  const gossip = finding('one-way-gossip', 'node-3', '', { alsoAt: ['node-2'], certainty: 'certain' })
  assert.deepEqual(causesOf(gossip, link), ['link-left-open node-1'])
  assert.deepEqual(causesOf({ ...gossip, alsoAt: ['node-4'] }, link), [
    'one-way-gossip node-3',
    'link-left-open node-1',
  ])
})

test('handles of a node that is named with the cause: they are a fault of their own', () => {
  const link = finding('link-left-open', 'node-1', '', { alsoAt: ['node-2'], certainty: 'certain' })
  assert.deepEqual(causesOf(finding('timers-left', 'node-2'), link), ['link-left-open node-1', 'timers-left node-2'])
})

test('a count that grows, and the heap with it: the count is the cause', () => {
  assert.deepEqual(causesOf(finding('heap-growth', 'node-1'), finding('growth-unknown', 'node-1', 'handlers')), [
    'growth-unknown node-1',
  ])
})

test('memory of unknown kind, and the kind: one answer, the kind', () => {
  assert.deepEqual(causesOf(finding('growth-unknown', 'node-1', memoryPart), finding('external-growth', 'node-1')), [
    'external-growth node-1',
  ])
})

test('spans that a node lost: what is likely in spite of them comes first, what is not sure comes after them', () => {
  const lost = finding('telemetry-lost', 'node-1', '', { certainty: 'certain' })
  const unsure = finding('timers-left', 'node-1', '', { certainty: 'insufficient' })
  assert.deepEqual(causesOf(lost, unsure, finding('sockets-left', 'node-1')), [
    'sockets-left node-1',
    'telemetry-lost node-1',
    'timers-left node-1',
  ])
})
