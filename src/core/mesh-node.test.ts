import assert from 'node:assert/strict'
import { test } from 'node:test'
import { helloOf, infoOf, makeNode } from '../testing/core/node-fixture.ts'
import { refusal } from '../testing/core/seed-player.ts'
import { digestOf, names, spansNamed } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { NodeEffect } from './events.ts'
import type { Frame } from './frames.ts'
import type { MeshNode } from './mesh-node.ts'

leakCheck()

const sleepMs = 45_000
const link = infoOf({ peer: 'peer-b' })
const hello: Frame = { type: 'hello', hello: helloOf() }

/** A node with one connection at time 0. */
function connectedNode(): MeshNode {
  const node = makeNode({ self: 'peer-a' })
  node.handle({ type: 'started', settings: [] }, 0)
  node.handle({ type: 'observed', connections: [link] }, 0)
  node.handle({ type: 'stream.open', connection: link.id }, 0)
  return node
}

const send = (node: MeshNode, frame: Frame) => node.handle({ type: 'frame', connection: link.id, frame, wall: 0 }, 0)

test('repeatedly reached network limits: one span per limit and second', () => {
  const node = connectedNode()
  for (const [limit, now, count] of [
    ['crossingsWaiting', 1, 1],
    ['crossingsWaiting', 1_000, 0],
    ['crossingsWaitingBytes', 1_000, 1],
    ['crossingsWaiting', 1_001, 1],
  ] as const) {
    const effects = node.handle({ type: 'limit.reached', limit, action: 'refused' }, now)
    assert.equal(spansNamed(effects, 'mesh.limit.reached').length, count, `${limit} at ${now}`)
  }
})

/** Effects of every tick that is due until `time`, with their times. */
function runUntil(node: MeshNode, time: number): { at: number; effect: NodeEffect }[] {
  const effects: { at: number; effect: NodeEffect }[] = []
  for (let at = node.deadline(); at <= time; at = node.deadline()) {
    effects.push(...node.handle({ type: 'tick' }, at).map((effect) => ({ at, effect })))
  }
  return effects
}

test('failed dial of a member: one span', () => {
  const node = connectedNode()
  const digest = digestOf('peer-z', { addresses: ['/ip4/192.0.2.1/tcp/4001'] })
  node.handle({ type: 'gossip', mesh: 'mesh-a', from: 'peer-z', digest, wall: digest.sentAt }, 0)
  const dial = runUntil(node, 4_000).find(({ effect }) => effect.do === 'dial.peer')
  assert.ok(dial?.effect.do === 'dial.peer' && dial.effect.peer === 'peer-z')
  const failed = node.handle({ type: 'peer.dialled', peer: 'peer-z', ok: false, failure: refusal }, 4_100)
  const sinces = spansNamed(failed, 'mesh.member.dial_failed').map(({ since }) => since)
  assert.deepEqual(sinces, [dial.at])
})

/** Runs for a second, then is suspended while events queue; the node handles them all before its tick. */
function suspend(): { node: MeshNode; wokenAt: number; effects: NodeEffect[] } {
  const node = connectedNode()
  send(node, hello)
  runUntil(node, 1_000)
  const wokenAt = node.deadline() + sleepMs
  const queued = Array.from({ length: 8 }, (_, index) => node.handle({ type: 'changed' }, wokenAt + index))
  return { node, wokenAt, effects: [...queued.flat(), ...node.handle({ type: 'tick' }, wokenAt + queued.length)] }
}

test('suspended process with many queued events: one stall span', () => {
  const stalls = spansNamed(suspend().effects, 'mesh.node.stalled')
  const sleeps = stalls.map(({ attributes }) => attributes['mesh.stall.slept_ms'])
  assert.deepEqual(sleeps, [sleepMs])
})

test("suspension: extends a link's silence once; a link that stays silent closes as usual", () => {
  const { node, wokenAt } = suspend()
  const closed = runUntil(node, wokenAt + 60_000).find(({ effect }) => effect.do === 'close')
  const lastedMs = (closed?.at ?? Infinity) - wokenAt
  assert.ok(lastedMs <= 4_000, `closed after ${lastedMs} ms`)
})

for (const [situation, before, peer, reasons] of [
  ['a member about itself: taken', [hello], 'peer-b', undefined],
  ['a member about another peer: refused', [hello], 'peer-c', ['digest for another peer']],
  ['a non-member: refused', [], 'peer-b', ['digest from a non-member']],
  // The goodbye has the reason.
  [
    'a peer in another mesh, whose link is closing: refused',
    [{ ...hello, hello: helloOf({ meshes: ['z'] }) }],
    'peer-b',
    [],
  ],
] as const satisfies readonly (readonly [string, readonly Frame[], string, readonly string[] | undefined])[]) {
  test(`digest of ${situation}`, () => {
    const node = connectedNode()
    const earlier = before.flatMap((frame) => send(node, frame))
    const effects = send(node, { type: 'digest', digest: digestOf(peer) })
    const refusals = spansNamed(effects, 'mesh.frame.refused').map(({ attributes }) => attributes['mesh.frame.reason'])
    assert.deepEqual(refusals, reasons ?? [])
    const count = reasons === undefined ? 0 : 1
    assert.equal(node.framesRefused, count)
    assert.equal([...earlier, ...effects].filter((effect) => effect.do === 'close').length, count, 'closes')
    assert.deepEqual(names(node.view), reasons === undefined ? [peer] : [])
  })
}
