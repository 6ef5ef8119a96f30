import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf, wall } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import type { NodeEffect } from './events.ts'
import type { Digest, Frame } from './frames.ts'
import { OwnIdentity } from './identity-watch.ts'
import { MeshNode } from './mesh-node.ts'
import { Owner } from './owner.ts'
import { newTrace } from './trace.ts'

leakCheck()

const mine = '00000000000000aa'
const theirs = '00000000000000bb'
const conflict = { peer: 'self', instances: [mine, theirs], addresses: ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.2/tcp/1'] }

function startedIdentity(): OwnIdentity {
  const own = new OwnIdentity({ self: 'self', name: 'me', instance: mine, addresses: () => ['/ip4/10.0.0.1/tcp/1'] })
  own.onStarted(0)
  return own
}

test("neighbour's report of this process and another: emitted once a minute", () => {
  const own = startedIdentity()
  const emitted = [0, 10_000, 59_999, 60_000, 130_000].map((at) => own.onReport(conflict, at).length)
  assert.deepEqual(emitted, [1, 0, 0, 1, 1])
})

test('report about another peer, or about two earlier processes: ignored', () => {
  const own = startedIdentity()
  assert.deepEqual(own.onReport({ ...conflict, peer: 'other' }, 0), [])
  assert.deepEqual(own.onReport({ ...conflict, instances: [theirs, '00000000000000cc'] }, 0), [])
})

test('gossip with this node’s own signature: a conflict, once it cannot be from the previous process', () => {
  const own = startedIdentity()
  const otherDigest = digestOf('self', { instance: theirs, addresses: ['/ip4/10.0.0.2/tcp/1'] })
  assert.deepEqual(own.onOwnSignature(otherDigest, 0, 29_000), [])
  assert.deepEqual(own.onOwnSignature(digestOf('self', { instance: mine }), 0, 31_000), [])
  const [emitted] = own.onOwnSignature(otherDigest, 0, 31_000)
  assert.deepEqual(
    emitted?.span === 'mesh.identity.conflict' &&
      (emitted.attributes as Record<string, unknown>)['mesh.identity.addresses'],
    ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.2/tcp/1'],
  )
})

test('replayed digest of the previous process, or of one that ended: no conflict', () => {
  const own = startedIdentity()
  const otherDigest = digestOf('self', { instance: theirs })
  assert.deepEqual(own.onOwnSignature(otherDigest, 80_000, 70_000), [], 'sent before the start')
  assert.deepEqual(own.onOwnSignature(otherDigest, 100_000, 1_000_000), [], 'sent long ago')
  assert.equal(own.onOwnSignature(otherDigest, 20_000, 1_000_000).length, 1)
})

const guest = { ...conflict, peer: 'peer-a' }
const seeds = ['/ip4/10.0.0.9/tcp/1', '/ip4/10.0.0.9/udp/1/quic-v1']
const identity = { role: 'compute', meshes: ['mesh-a'], incarnation: 1, build: 'test' } as const

/** A node whose seeds never answer; calls `onStep` every 100 ms, which may deliver events. */
function run(untilMs: number, onStep: (node: MeshNode, now: number) => NodeEffect[]) {
  const options = {
    stalenessMs: 30_000,
    sweepMs: 5_000,
    digestMs: 2_000,
    gossipDigestMs: 10_000,
    neighbours: 8,
    maxPeers: 300,
  }
  const random = seededRandom(1)
  const self = { self: 'peer-a', name: 'me', instance: mine }
  const node = new MeshNode(new Owner('t', new VirtualClock()), { ...identity, ...options, ...self, seeds, random })
  const failure = { stage: 'dial', addresses: [], errorType: 'ECONNREFUSED', errorMessage: '' } as const
  const [dials, conflicts]: [number[], number[]] = [[], []]
  let ticks = 0
  const apply = (effects: readonly NodeEffect[], now: number) => {
    for (const effect of effects) {
      if (effect.do === 'emit-span' && effect.span === 'mesh.identity.conflict') conflicts.push(now)
      if (effect.do !== 'dial.seed') continue
      dials.push(now)
      apply(node.handle({ type: 'seed.failed', seed: effect.seed, failure }, now), now)
    }
  }
  apply(node.handle({ type: 'started', settings: [] }, 0), 0)
  for (let now = 0; now <= untilMs; now += 100) {
    apply(onStep(node, now), now)
    for (let ticksAtOnce = 0; node.deadline() <= now && ticksAtOnce < 10; ticksAtOnce++, ticks++)
      apply(node.handle({ type: 'tick' }, now), now)
  }
  return { dials, conflicts, ticks }
}

const gossip = (digest: Digest, at = wall) =>
  ({ type: 'gossip', mesh: 'mesh-a', from: digest.peer, digest, wall: at }) as const

/** A member that links to the node and reports a conflict; `refuses`: it closes each link as superseded and relinks. */
function neighbour(refuses: boolean, untilMs: number) {
  const info = { direction: 'inbound', address: '/ip4/10.0.0.3/tcp/1', transport: 'tcp', gossip: 'none' } as const
  const links = seededRandom(2)
  let sequence = 0
  return (node: MeshNode, now: number): NodeEffect[] => {
    const connection = refuses ? `c${Math.floor(now / 50_000)}` : 'c'
    if (now >= untilMs) return node.handle({ type: 'observed', connections: [] }, now)
    const send = (frame: Frame) => node.handle({ type: 'frame', connection, frame, wall }, now)
    const hello = { ...identity, name: 'b', counter: 1, trace: newTrace(links) }
    const first = node.ledger.find(connection) === undefined && (!refuses || now % 50_000 === 0)
    const effects: NodeEffect[] = []
    if (first) {
      effects.push(
        ...node.handle({ type: 'observed', connections: [{ ...info, id: connection, peer: 'peer-b' }] }, now),
      )
      effects.push(...node.handle({ type: 'stream.open', connection }, now), ...send({ type: 'hello', hello }))
    }
    if (now % 2_000 === 0 && node.ledger.isMember(connection))
      effects.push(
        ...send({ type: 'digest', digest: digestOf('peer-b', { sequence: ++sequence, conflicts: [guest] }) }),
      )
    if (!refuses || !first) return effects
    effects.push(...send({ type: 'goodbye', reason: 'superseded', trace: newTrace(links) }))
    return [...effects, ...node.handle({ type: 'observed', connections: [] }, now)]
  }
}

const undisturbed = run(600_000, () => [])

test('another process with its identity: the node dials once a minute, and at its usual rate afterwards', () => {
  let sequence = 0
  const { dials, ticks } = run(400_000, (node, now) => {
    if (now >= 200_000 || now % 10_000 !== 0) return []
    const digest = digestOf('peer-a', { instance: theirs, sequence: ++sequence })
    return node.handle(gossip(digest), now)
  })
  const during = new Set(dials.filter((at) => at > 40_000 && at < 200_000))
  assert.ok(during.size <= 4, `${[...during]}`)
  assert.ok(dials.filter((at) => at > 300_000).length >= 6, 'it dials at its usual rate afterwards')
  assert.ok(ticks < 2_000, `${ticks} ticks: nothing is due again and again`)
})

test('conflict with this node in digests over gossip: not trusted, and slows no dial', () => {
  const forged = run(600_000, (node, now) =>
    now % 60_000 === 0 ? node.handle(gossip(digestOf('guest-1', { sequence: now, conflicts: [guest] })), now) : [],
  )
  assert.deepEqual(forged.conflicts, [])
  assert.equal(forged.dials.length, undisturbed.dials.length)
})

test('dial rate: slowed by a report and a refused link together or an own signature, not by one of the former', () => {
  const evidenceOf = {
    word: (own: OwnIdentity) => own.onReport(conflict, 40_000),
    refusal: (own: OwnIdentity) => own.onLinkRefused(40_000),
  }
  const signature = (own: OwnIdentity) => own.onOwnSignature(digestOf('self', { instance: theirs }), 0, 40_000)
  const dialAfter = (...evidence: ((own: OwnIdentity) => unknown)[]) => {
    const own = startedIdentity()
    for (const act of evidence) act(own)
    own.onDialled(40_000)
    return own.dialAfter(41_000)
  }
  assert.equal(dialAfter(evidenceOf.word), -Infinity)
  assert.equal(dialAfter(evidenceOf.refusal), -Infinity)
  assert.equal(dialAfter(evidenceOf.word, evidenceOf.refusal), 100_000)
  assert.equal(dialAfter(signature), 100_000)
})

test('conflict report of a linked member: emitted; if it also refuses each link, the node dials once a minute', () => {
  const reports = run(600_000, neighbour(false, 300_000))
  assert.ok(reports.conflicts.length >= 4 && reports.conflicts.length <= 6, `${reports.conflicts}`)
  const after = ({ dials }: { dials: readonly number[] }) =>
    new Set(dials.filter((at) => at > 60_000 && at < 300_000)).size
  const refused = run(600_000, neighbour(true, 600_000))
  assert.ok(refused.conflicts.length >= 5, `${refused.conflicts}`)
  assert.ok(after(refused) <= 5, `${after(refused)}`)
  assert.ok(after(undisturbed) >= 7, `${after(undisturbed)}`)
})
