import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { duplicateIdentity } from './duplicate-identity.ts'

leakCheck()

const conflict = {
  'mesh.peer.id': 'peer-a',
  'mesh.peer.name': 'a',
  'mesh.identity.addresses': ['/ip4/10.0.0.1/udp/1', '/ip4/10.0.0.2/udp/1'],
}

test('a conflict that two nodes state: one certain finding, of the process that started last', () => {
  const first = new Life('a', { instance: 'first' }).censuses(5, 300, 2)
  const copy = new Life('copy', { peer: 'peer-a' }).censuses(100, 300, 1).span('mesh.identity.conflict', 120, conflict)
  const witness = new Life('b').censuses(5, 300, 2).span('mesh.identity.conflict', 110, conflict)
  const [finding, ...others] = findIn(duplicateIdentity, [first, copy, witness])
  assert.deepEqual([finding && brief(finding), others], ['certain copy: identity peer-a', []])
  assert.match(finding?.summary ?? '', /10\.0\.0\.1.*10\.0\.0\.2.*; 2 nodes report it/)
  assert.deepEqual(finding?.alsoAt, ['a'])
})

test('two lives of one identity at once that nobody states: likely', () => {
  const lives = [
    new Life('a', { instance: 'first' }).censuses(5, 300, 0),
    new Life('a', { instance: 'copy' }).censuses(100, 300, 0),
  ]
  assert.deepEqual(findIn(duplicateIdentity, lives).map(brief), ['likely a: identity peer-a'])
})

test('a restart, also with clocks that differ: nothing', () => {
  const lives = [
    new Life('a', { instance: 'first' }).censuses(5, 300, 2),
    new Life('a', { instance: 'second' }).censuses(290, 600, 2),
  ]
  assert.deepEqual(findIn(duplicateIdentity, lives), [])
})

test('two nodes without a known identity: nothing', () => {
  const lives = ['a', 'b'].map((node) => new Life(node, { peer: '' }).censuses(5, 600, 2))
  assert.deepEqual(findIn(duplicateIdentity, lives), [])
})

test('a witness met the process first that started last: the other one is the copy', () => {
  const started = (instance: string) => ({ 'mesh.node.instance': instance })
  const lives = [
    new Life('a').span('mesh.node.started', 0, started('i1')).censuses(5, 300, 2),
    new Life('copy', { peer: 'peer-a' }).span('mesh.node.started', 50, started('i2')).censuses(55, 300, 1),
    new Life('b').span('mesh.identity.conflict', 110, {
      ...conflict,
      'mesh.identity.own': false,
      'mesh.identity.instances': ['i2', 'i1'],
    }),
  ]
  assert.deepEqual(findIn(duplicateIdentity, lives).map(brief), ['certain a: identity peer-a'])
})
