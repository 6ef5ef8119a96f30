import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { refusal } from '../testing/core/seed-player.ts'
import { digestOf } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import type { ConnectionInfo, NodeEffect } from './events.ts'
import type { Frame, Hello } from './frames.ts'
import { MeshNode } from './mesh-node.ts'
import { Owner } from './owner.ts'
import { newTrace } from './trace.ts'

leakCheck()

const random = seededRandom(1)
const sleepMs = 45_000
const link: ConnectionInfo = {
  id: 'c1',
  peer: 'peer-b',
  direction: 'inbound',
  address: '/ip4/127.0.0.1/udp/1/quic-v1',
  transport: 'quic',
  gossip: 'none',
}
const common = { meshes: ['mesh-a'], role: 'compute', incarnation: 1, build: 'test' } as const
const hello: Hello = { ...common, name: 'b', counter: 1, trace: newTrace(random) }

/** A node with one connection at time 0. */
function connectedNode(): MeshNode {
  const options = {
    stalenessMs: 30_000,
    sweepMs: 5_000,
    digestMs: 2_000,
    gossipDigestMs: 10_000,
    neighbours: 8,
    maxPeers: 300,
  }
  const owner = new Owner('node-a', new VirtualClock())
  const node = new MeshNode(owner, { ...common, ...options, self: 'peer-a', name: 'a', seeds: [], random })
  node.handle({ type: 'started', settings: [] }, 0)
  node.handle({ type: 'observed', connections: [link] }, 0)
  node.handle({ type: 'stream.open', connection: link.id }, 0)
  return node
}

const send = (node: MeshNode, frame: Frame) => node.handle({ type: 'frame', connection: link.id, frame, wall: 0 }, 0)

/** A node with one joined link at time 0. */
function linkedNode(): MeshNode {
  const node = connectedNode()
  send(node, { type: 'hello', hello })
  return node
}

test('repeatedly reached network limits: one span per limit and second', () => {
  const node = connectedNode()
  const limitSpans = (limit: 'crossingsWaiting' | 'crossingsWaitingBytes', now: number) =>
    node
      .handle({ type: 'limit.reached', limit, action: 'refused' }, now)
      .filter((effect) => effect.do === 'emit-span' && effect.span === 'mesh.limit.reached').length
  assert.deepEqual(
    [
      limitSpans('crossingsWaiting', 1),
      limitSpans('crossingsWaiting', 1_000),
      limitSpans('crossingsWaitingBytes', 1_000),
    ],
    [1, 0, 1],
  )
  assert.equal(limitSpans('crossingsWaiting', 1_001), 1)
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
  const spans = failed.filter((effect) => effect.do === 'emit-span' && effect.span === 'mesh.member.dial_failed')
  assert.equal(spans.length, 1)
  assert.equal((spans[0] as SpanEffect).since, dial.at)
})

/** Runs for a second, then is suspended while events queue; the node handles them all before its tick. */
function suspend(): { node: MeshNode; wokenAt: number; effects: NodeEffect[] } {
  const node = linkedNode()
  runUntil(node, 1_000)
  const wokenAt = node.deadline() + sleepMs
  const queued = Array.from({ length: 8 }, (_, index) => node.handle({ type: 'changed' }, wokenAt + index))
  return { node, wokenAt, effects: [...queued.flat(), ...node.handle({ type: 'tick' }, wokenAt + queued.length)] }
}

test('suspended process with many queued events: one stall span', () => {
  const stalls = suspend().effects.filter((effect) => effect.do === 'emit-span' && effect.span === 'mesh.node.stalled')
  assert.equal(stalls.length, 1)
  assert.partialDeepStrictEqual(stalls[0], { attributes: { 'mesh.stall.slept_ms': sleepMs } })
})

test("suspension: extends a link's silence once; a link that stays silent closes as usual", () => {
  const { node, wokenAt } = suspend()
  const closed = runUntil(node, wokenAt + 60_000).find(({ effect }) => effect.do === 'close')
  assert.ok(
    closed !== undefined && closed.at - wokenAt <= 4_000,
    `closed after ${(closed?.at ?? Infinity) - wokenAt} ms`,
  )
})

const refusals = (effects: readonly NodeEffect[]) =>
  effects.flatMap((effect) =>
    effect.do === 'emit-span' && effect.span === 'mesh.frame.refused' ? [effect.attributes['mesh.frame.reason']] : [],
  )

test('digest of a non-member or for another peer: refused, counted, and closes the connection', () => {
  const foreign: Frame = { type: 'hello', hello: { ...hello, meshes: ['mesh-z'] } }
  const cases: readonly [
    earlierFrames: readonly Frame[],
    peer: string,
    isRefused: boolean,
    reasons: readonly string[],
  ][] = [
    [[{ type: 'hello', hello }], 'peer-b', false, []],
    [[{ type: 'hello', hello }], 'peer-c', true, ['digest for another peer']],
    [[], 'peer-b', true, ['digest from a non-member']],
    // The connection is already closing, with a goodbye.
    [[foreign], 'peer-b', true, []],
  ]
  for (const [before, peer, isRefused, reasons] of cases) {
    const node = connectedNode()
    const earlier = before.flatMap((frame) => send(node, frame))
    const effects = send(node, { type: 'digest', digest: digestOf(peer) })
    assert.deepEqual(refusals(effects), reasons)
    assert.equal(node.framesRefused, isRefused ? 1 : 0)
    assert.equal([...earlier, ...effects].filter((effect) => effect.do === 'close').length, isRefused ? 1 : 0)
    assert.deepEqual(
      node.view.members().map(({ digest }) => digest.peer),
      isRefused ? [] : [peer],
    )
  }
})
