import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { digestOf } from '../testing/view-fixture.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { MeshNode } from './mesh-node.ts'
import { OwnIdentity } from './own-identity.ts'
import { Owner } from './owner.ts'

leakCheck()

const mine = '00000000000000aa'
const theirs = '00000000000000bb'
const conflict = { peer: 'self', instances: [mine, theirs], addresses: ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.2/tcp/1'] }

function make(): OwnIdentity {
  const own = new OwnIdentity({ self: 'self', name: 'me', instance: mine, addresses: () => ['/ip4/10.0.0.1/tcp/1'] })
  own.started(0)
  return own
}

test('what a neighbour says of this process and another is emitted once a minute', () => {
  const own = make()
  const emitted = [0, 10_000, 59_999, 60_000, 130_000].map((at) => own.reported(conflict, at).length)
  assert.deepEqual(emitted, [1, 0, 0, 1, 1])
})

test('what concerns another peer, or two processes of before, is not this node’s', () => {
  const own = make()
  assert.deepEqual(own.reported({ ...conflict, peer: 'other' }, 0), [])
  assert.deepEqual(own.reported({ ...conflict, instances: [theirs, '00000000000000cc'] }, 0), [])
})

test('gossip with this node’s own signature is another process, once none can be of the process before', () => {
  const own = make()
  const heard = digestOf('self', { instance: theirs, addresses: ['/ip4/10.0.0.2/tcp/1'] })
  assert.deepEqual(own.heard(heard, 29_000), [])
  assert.deepEqual(own.heard(digestOf('self', { instance: mine }), 31_000), [])
  const [emitted] = own.heard(heard, 31_000)
  assert.deepEqual(
    emitted?.span === 'mesh.identity.conflict' &&
      (emitted.attributes as Record<string, unknown>)['mesh.identity.addresses'],
    ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.2/tcp/1'],
  )
})

test('while another process has its identity, a node dials once a minute, and again as ever afterwards', () => {
  const options = { windowMs: 30_000, sweepMs: 5_000, digestMs: 2_000, gossipMs: 10_000, neighbours: 8, peersMax: 300 }
  const who = { self: 'self', name: 'me', role: 'compute', meshes: ['mesh-a'], incarnation: 1, build: 'test' } as const
  const seeds = ['/ip4/10.0.0.9/tcp/1', '/ip4/10.0.0.9/udp/1/quic-v1']
  const random = seededRandom(1)
  const node = new MeshNode(new Owner('t', new VirtualClock()), { ...who, ...options, seeds, random, instance: mine })
  const refusal = { stage: 'dial', addresses: [], errorType: 'ECONNREFUSED', errorMessage: '' } as const
  const dials: number[] = []
  let ticks = 0
  let effects = node.handle({ type: 'started', settings: [] }, 0)
  const digest = digestOf('neighbour', { conflicts: [conflict] })
  for (let now = 0; now <= 400_000; ) {
    for (const effect of effects) {
      if (effect.do !== 'dial.seed') continue
      dials.push(now)
      node.handle({ type: 'seed.failed', seed: effect.seed, failure: refusal }, now)
    }
    // A neighbour goes on to say so until 200 s.
    if (now < 200_000) node.handle({ type: 'gossip', mesh: 'mesh-a', from: 'neighbour', digest, wall: 0 }, now)
    now = Math.max(now + 1, node.deadline())
    ticks++
    effects = node.handle({ type: 'tick' }, now)
  }
  const during = new Set(dials.filter((at) => at < 200_000))
  assert.ok(during.size <= 5, `${[...during]}`)
  assert.ok(dials.filter((at) => at > 300_000).length >= 6, 'it dials as ever afterwards')
  assert.ok(ticks < 2_000, `${ticks} ticks: nothing is due again and again`)
})
