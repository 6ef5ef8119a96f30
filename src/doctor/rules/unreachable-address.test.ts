import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, findIn, Life } from '../../testing/doctor/life.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { unreachableAddress } from './unreachable-address.ts'

leakCheck()

const to = { 'mesh.peer.id': 'peer-a', 'mesh.peer.name': 'a' }
const failure = {
  ...to,
  'mesh.dial.stage': 'dial',
  'error.type': 'TimeoutError',
  'mesh.dial.addresses': ['/ip4/10.0.0.9/udp/1'],
}
const target = () => new Life('a').censuses(0, 600, 1)
const dialler = (node: string, ...times: readonly number[]) => {
  const life = new Life(node).censuses(0, 600, 2)
  for (const atS of times) life.span('mesh.member.dial_failed', atS, failure)
  return life
}

test('two nodes that dial a running member in vain for minutes: likely', () => {
  const [finding] = findIn(unreachableAddress, [target(), dialler('b', 20, 60, 200), dialler('c', 30, 150)])
  assert.equal(finding && brief(finding), 'likely a: announced addresses')
  assert.match(finding?.summary ?? '', /2 nodes dialled it in vain at \/ip4\/10\.0\.0\.9/)
})

test('one node of several that does: not enough evidence', () => {
  const lives = [target(), dialler('b', 20, 60, 120, 200), dialler('c')]
  assert.deepEqual(findIn(unreachableAddress, lives).map(brief), ['insufficient a: announced addresses'])
})

test('a node that says that others reach it, whose own spans of that are missing: nothing', () => {
  const reached = (peer: string, direction: string) =>
    target().span('mesh.connection.opened', 100, { 'mesh.peer.id': peer, 'mesh.connection.direction': direction })
  const diallers = [dialler('b', 20, 60, 200), dialler('c', 30, 150)]
  assert.deepEqual(findIn(unreachableAddress, [reached('peer-c', 'inbound'), ...diallers]), [])
  assert.equal(findIn(unreachableAddress, [reached('peer-c', 'outbound'), ...diallers]).length, 1)
})

test('a node that others reach meanwhile: nothing', () => {
  const reached = dialler('c', 30).span('mesh.connection.opened', 100, {
    ...to,
    'mesh.connection.direction': 'outbound',
  })
  assert.deepEqual(findIn(unreachableAddress, [target(), dialler('b', 20, 60, 200), reached]), [])
})

test('failures within half a minute, as after a crash or in a partition: nothing', () => {
  assert.deepEqual(findIn(unreachableAddress, [target(), dialler('b', 20, 30, 45), dialler('c', 21, 31, 46)]), [])
})

test('a member that has ended, or slept meanwhile: nothing', () => {
  const ended = new Life('a').censuses(0, 60, 1)
  assert.deepEqual(findIn(unreachableAddress, [ended, dialler('b', 20, 60, 200), dialler('c', 30, 150)]), [])
  const sleeper = target().span('mesh.node.stalled', 210, { 'mesh.stall.slept_ms': 200_000 })
  assert.deepEqual(findIn(unreachableAddress, [sleeper, dialler('b', 20, 60, 200), dialler('c', 30, 150)]), [])
})

test('ten failures in a row, of which two spans arrived: likely', () => {
  const lives = [target(), ...['b', 'c'].map((node) => dialler(node, 230))]
  for (const { spans } of lives.slice(1)) {
    const last = spans.at(-1)
    if (last !== undefined)
      spans.push({ ...last, attributes: { ...last.attributes, 'mesh.seq': 99, 'mesh.dial.failures': 10 } })
  }
  assert.deepEqual(findIn(unreachableAddress, lives).map(brief), ['likely a: announced addresses'])
})

test('three nodes that dial it in vain, each of which it reaches then: likely, if nobody ever reached it', () => {
  const reaching = () => target().span('mesh.connection.opened', 60, { 'mesh.connection.direction': 'outbound' })
  const diallers = () => [dialler('b', 20, 110), dialler('c', 30, 112), dialler('d', 40, 60)]
  assert.deepEqual(findIn(unreachableAddress, [reaching(), ...diallers()]).map(brief), [
    'likely a: announced addresses',
  ])
  assert.deepEqual(findIn(unreachableAddress, [target(), ...diallers()]), [])
})

test('a member that its mesh is set to wait for longer than it was dialled: nothing', () => {
  const slow = target().span('mesh.node.started', 0, { 'mesh.node.staleness_ms': 600_000 })
  assert.deepEqual(findIn(unreachableAddress, [slow, dialler('b', 20, 60, 200), dialler('c', 30, 150)]), [])
})
