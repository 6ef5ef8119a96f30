import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, ProcessStory } from '../../testing/doctor/process-story.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { diagnose } from '../diagnose.ts'
import { rules } from './all.ts'
import { linkLeftOpen } from './link-left-open.ts'

leakCheck()

const story = (node: string) => new ProcessStory(node).censuses(10)
const find = (...stories: readonly ProcessStory[]) => linkLeftOpen.find(evidenceOf(stories))

/** A node says that it has several connections with another one. */
const pair = (node: string, other: string, fromS = 95) =>
  story(node).broken('one-link-per-pair', 'ledger', fromS, 605, { 'mesh.invariant.ids': [`peer-of-${other}`] })

const suspect = (story: ProcessStory, reason: string, change: string, atS: number) =>
  story.span('mesh.audit.suspect', atS, {
    'mesh.connection.id': 'c1',
    'mesh.suspect.reason': reason,
    'mesh.suspect.change': change,
  })

test('a pair with several connections: one finding, of the end that saw it first', () => {
  const findings = find(pair('node-1', 'node-2', 125), pair('node-2', 'node-1', 95))
  assert.deepEqual(
    findings.map(({ owner, alsoAt, certainty }) => [owner.node, alsoAt, certainty]),
    [['node-2', ['node-1'], 'certain']],
  )
})

test('several pairs that one node is part of: it is the owner', () => {
  const findings = find(pair('node-1', 'node-9'), pair('node-2', 'node-9'), pair('node-9', 'node-1'))
  assert.deepEqual(
    findings.map(({ owner, alsoAt }) => [owner.node, alsoAt]),
    [['node-9', ['node-1', 'node-2']]],
  )
})

test('a pair whose other end exports no spans: the end that reports it is the owner', () => {
  assert.equal(find(pair('node-1', 'stranger'))[0]?.owner.node, 'node-1')
})

test('suspects at every census: the connections that should be closed are named', () => {
  const counts = new ProcessStory('node-1').censuses(10, (s) => ({ 'mesh.audit.suspects': s < 300 ? 0 : 2 }))
  const [finding] = find(suspect(counts, 'closing-open', 'appeared', 305))
  assert.equal(finding?.owner.part, 'connections that should be closed')
  assert.equal(finding?.certainty, 'certain')
})

test('libp2p has connections that the ledger lacks: certain', () => {
  const [finding] = find(story('node-1').broken('connections-in-ledger', 'libp2p', 95, 605))
  assert.equal(finding?.owner.part, 'connections outside the ledger')
})

test('with its effects: one answer', () => {
  const leaky = new ProcessStory('node-1').censuses(10, (s) => ({
    'mesh.audit.suspects': Math.round(s / 20),
    'mesh.audit.timers_unref': 10 * s,
  }))
  leaky.broken('one-link-per-pair', 'ledger', 95, 605)
  const { findings } = diagnose(evidenceOf([leaky]), rules)
  assert.deepEqual(
    findings.map(({ disease }) => disease),
    ['link-left-open'],
  )
})

test('two connections of a pair for one census: nothing', () => {
  assert.deepEqual(find(story('node-1').broken('one-link-per-pair', 'ledger', 95, 95)), [])
})

test('two connections of a pair that were closed later: nothing', () => {
  assert.deepEqual(find(story('node-1').broken('one-link-per-pair', 'ledger', 95, 185)), [])
})

test('a suspect that is gone at the next census: nothing', () => {
  const counts = new ProcessStory('node-1').censuses(10, (s) => ({ 'mesh.audit.suspects': s % 90 === 5 ? 1 : 0 }))
  assert.deepEqual(find(suspect(suspect(counts, 'closing-open', 'appeared', 95), 'closing-open', 'gone', 125)), [])
})

const link = (story: ProcessStory, name: 'mesh.hello.received' | 'mesh.connection.closed', atS: number) =>
  story.span(name, atS, { 'mesh.link.id': 'link-1' })

test('a link that the other end closed minutes ago: the end that has it open is the owner', () => {
  const [open, closed] = [story('node-1'), story('node-2')]
  link(open, 'mesh.hello.received', 20)
  link(closed, 'mesh.hello.received', 20)
  link(closed, 'mesh.connection.closed', 100)
  assert.deepEqual(
    find(open, closed).map(({ owner }) => [owner.node, owner.part]),
    [['node-1', 'links that the other end has closed']],
  )
})

test('a link that only one end closed, of a process that is gone: nothing', () => {
  const [killed, closed] = [new ProcessStory('node-1').censuses(1.5), story('node-2')]
  link(killed, 'mesh.hello.received', 20)
  link(closed, 'mesh.hello.received', 20)
  link(closed, 'mesh.connection.closed', 100)
  assert.deepEqual(find(killed, closed), [])
})

test('a link that one end closed, and spans of the other end were lost: nothing', () => {
  const [open, closed] = [story('node-1'), story('node-2')]
  link(open, 'mesh.hello.received', 20)
  link(closed, 'mesh.hello.received', 20)
  link(closed, 'mesh.connection.closed', 100)
  const evidence = evidenceOf([open, closed])
  evidence.instances[0]?.seqs.add(5_000)
  assert.deepEqual(linkLeftOpen.find(evidence), [])
})

test('a link that one end closed within the last minutes: nothing', () => {
  const [open, closed] = [story('node-1'), story('node-2')]
  link(open, 'mesh.hello.received', 20)
  link(closed, 'mesh.hello.received', 20)
  link(closed, 'mesh.connection.closed', 550)
  assert.deepEqual(find(open, closed), [])
})

test('other suspects at each census, each of which goes: nothing', () => {
  const counts = new ProcessStory('node-1').censuses(10, () => ({ 'mesh.audit.suspects': 1 }))
  for (let atS = 35; atS <= 605; atS += 30) {
    suspect(counts, 'closing-open', 'appeared', atS)
    suspect(counts, 'closing-open', 'gone', atS + 20)
  }
  assert.deepEqual(find(counts), [])
})

test('the same, and the spans that say so are missing: not enough evidence, until one has grown old', () => {
  const counts = new ProcessStory('node-1').censuses(10, () => ({ 'mesh.audit.suspects': 1 }))
  suspect(counts, 'closing-open', 'appeared', 575)
  const evidence = (story: ProcessStory) => {
    const found = evidenceOf([story])
    found.instances[0]?.seqs.add(5_000)
    return found
  }
  assert.equal(linkLeftOpen.find(evidence(counts))[0]?.certainty, 'insufficient')
  assert.equal(linkLeftOpen.find(evidence(suspect(counts, 'closing-open', 'older', 605)))[0]?.certainty, 'certain')
})

test('a link that the other end closed minutes ago, of a node that is set to wait for longer: nothing', () => {
  const [open, closed] = [story('node-1'), story('node-2')]
  link(open, 'mesh.hello.received', 20)
  link(closed, 'mesh.hello.received', 20)
  link(closed, 'mesh.connection.closed', 100)
  open.span('mesh.node.started', 0, { 'mesh.node.staleness_ms': 600_000 })
  assert.deepEqual(find(open, closed), [])
})
