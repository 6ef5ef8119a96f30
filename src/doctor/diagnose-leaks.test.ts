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

const grew = (to: number, unit: string) => ({ growth: { from: 0, to, unit, perHour: 4 * to, perEvent: undefined } })

test('a few entries beside far more memory than they can hold: two causes, the larger first', () => {
  const few = finding('application-collection', 'node-1', 'application collection tabs', grew(28, 'entries'))
  const heap = (mebibytes: number) => finding('heap-growth', 'node-1', 'heap', grew(mebibytes * 1_048_576, 'By'))
  assert.deepEqual(causesOf(few, heap(290)), ['heap-growth node-1', 'application-collection node-1'])
  assert.deepEqual(causesOf(few, heap(20)), ['application-collection node-1'])
})

test('timers, or a job that stopped, beside hundreds of MiB: two causes', () => {
  const heap = finding('heap-growth', 'node-1', 'heap', grew(580 * 1_048_576, 'By'))
  const timers = finding('timers-left', 'node-1', 'timers', grew(580, 'timers'))
  assert.equal(causesOf(timers, heap).length, 2)
  const job = finding('job-stopped', 'node-1', 'sweep', { certainty: 'certain' })
  assert.deepEqual(causesOf(job, heap), ['job-stopped node-1', 'heap-growth node-1'])
  const small = finding('heap-growth', 'node-1', 'heap', grew(80 * 1_048_576, 'By'))
  assert.deepEqual(causesOf(job, small), ['job-stopped node-1'])
})

test('two leaks of one node: the one that grows by far more comes first', () => {
  const tabs = finding('application-collection', 'node-1', 'tabs', grew(29, 'entries'))
  const sockets = (count: number) => finding('sockets-left', 'node-1', 'tcp sockets', grew(count, 'sockets'))
  assert.deepEqual(causesOf(tabs, sockets(560)), ['sockets-left node-1', 'application-collection node-1'])
  assert.deepEqual(causesOf(tabs, sockets(30)), ['application-collection node-1', 'sockets-left node-1'])
})

test('a fault of one pair beside a leak that grows by far more, equally certain: the fault comes first', () => {
  const job = finding('job-stopped', 'node-1', 'sweep')
  assert.deepEqual(causesOf(finding('sockets-left', 'node-2', 'tcp', grew(9_000, 'sockets')), job), [
    'job-stopped node-1',
    'sockets-left node-2',
  ])
})

const sure = { certainty: 'certain' } as const

test('two processes of one identity: they explain what their own nodes have, and nothing elsewhere', () => {
  const double = finding('duplicate-identity', 'node-1', 'identity', { ...sure, alsoAt: ['node-2'] })
  const open = (other: string) =>
    finding('link-left-open', 'node-3', 'connections of a pair', { ...sure, alsoAt: [other] })
  assert.deepEqual(causesOf(double, open('node-2')), ['duplicate-identity node-1'])
  assert.deepEqual(causesOf(double, open('node-4')), ['duplicate-identity node-1', 'link-left-open node-3'])
  const storm = (...nodes: readonly string[]) =>
    finding('retry-storm', '', 'seed /ip4/10.0.0.9', { ...sure, alsoAt: nodes })
  assert.deepEqual(causesOf(double, storm('node-2', 'node-4', 'node-5')), ['duplicate-identity node-1'])
  assert.equal(causesOf(double, storm('node-3', 'node-4', 'node-5')).length, 2)
})

test('a retry storm: it explains a seed that does not answer for its own seed, and who is alone for its own nodes', () => {
  const nodes = ['node-1', 'node-2', 'node-3']
  const storm = finding('retry-storm', '', 'seed /ip4/10.0.0.9', { ...sure, alsoAt: nodes })
  const unreachable = (seed: string) => finding('seed-unreachable', '', `seed ${seed}`, { ...sure, alsoAt: nodes })
  assert.equal(causesOf(storm, unreachable('/ip4/10.0.0.9')).length, 1)
  assert.equal(causesOf(storm, unreachable('/ip4/10.0.0.8')).length, 2)
  assert.equal(causesOf(storm, finding('alone', 'node-2', 'links', sure)).length, 1)
  assert.equal(causesOf(storm, finding('alone', 'node-9', 'links', sure)).length, 2)
})

test('a join storm: it explains who is alone among those that joined, and not elsewhere', () => {
  const storm = finding('join-storm', 'node-1', 'limit peers', { ...sure, alsoAt: ['node-2', 'node-3'] })
  assert.equal(causesOf(storm, finding('alone', 'node-3', 'links', sure)).length, 1)
  assert.equal(causesOf(storm, finding('alone', 'node-9', 'links', sure)).length, 2)
})
