import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { PeerId } from '@libp2p/interface'
import type { Owner } from '../../core/owner.ts'
import { createHealthyGossip, haunt, peerIds } from '../../testing/gossip-fixture.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { GossipEvidence } from './gossip-evidence.ts'

leakCheck()

const [ann, bob] = peerIds as [PeerId, PeerId]
const censusMs = 30_000

let owner: Owner
afterEach(() => owner?.close())

function createEvidence(hasHealth = true) {
  const created = createHealthyGossip({ hasHealth })
  owner = created.owner
  const evidence = new GossipEvidence(created.health, () => ['mesh-a/news'])
  const read = () => evidence.read(created.clock.now())
  return { ...created, read }
}

test('topics subscribed past the mesh: counted on the guilty node', () => {
  const { gossip, read } = createEvidence()
  const subscriptions = gossip.subscriptions as Set<string>
  subscriptions.add('mesh-a/news')
  for (let index = 0; index < 40; index++) subscriptions.add(`room ${index}`)
  const { attributes } = read()
  assert.equal(attributes?.['mesh.audit.gossip.subscriptions'], 41)
  assert.equal(attributes?.['mesh.audit.gossip.other_subscriptions'], 40)
})

test('topics of the peers: the peer with most is named', async () => {
  const { join, subscribe, read } = createEvidence()
  assert.equal(read().attributes?.['mesh.audit.gossip.most_topics_peer'], undefined)
  join(ann)
  join(bob)
  await subscribe(ann, 'news')
  await subscribe(bob, 'news', 'chat', 'rooms')
  const { attributes } = read()
  assert.equal(attributes?.['mesh.audit.gossip.topics'], 3)
  assert.equal(attributes?.['mesh.audit.gossip.most_topics'], 3)
  assert.equal(attributes?.['mesh.audit.gossip.most_topics_peer'], bob.toString())
})

test('penalties that a peer gets back, RPCs of one that has left: cumulative counts', async () => {
  const { clock, gossip, join, leave, subscribe, read } = createEvidence()
  join(ann)
  gossip.doAddBackoff(ann.toString(), 'news', 60_000)
  leave(ann)
  await subscribe(ann, 'news')
  clock.advance(6_000)
  join(ann)
  const { attributes } = read()
  assert.equal(attributes?.['mesh.audit.gossip.swept_total'], 1)
  assert.equal(attributes?.['mesh.audit.gossip.restored_total'], 1)
  assert.equal(attributes?.['mesh.audit.gossip.late_total'], 1)
  assert.equal(attributes?.['mesh.audit.gossip.backoff'], 1)
})

describe('the invariant that gossipsub lists connected peers only', () => {
  const brokenAfter = (setup: ReturnType<typeof createEvidence>) => {
    setup.read()
    setup.clock.advance(censusMs)
    return setup.read().invariants?.filter(({ isBroken }) => isBroken)
  }

  test('a sweep that does not run: broken from the second census on, with the ids', () => {
    const setup = createEvidence(false)
    setup.join(bob)
    haunt(setup.gossip, ann)
    assert.deepEqual(brokenAfter(setup), [
      {
        name: 'gossip-peers-connected',
        owner: 'gossipsub',
        expected: 1,
        actual: 2,
        isBroken: true,
        ids: [ann.toString()],
      },
    ])
  })

  test('a sweep that runs: holds', () => {
    const setup = createEvidence()
    haunt(setup.gossip, ann)
    assert.deepEqual(brokenAfter(setup), [])
  })

  test('another fresh leaver at every census: holds', () => {
    const { clock, join, leave, read } = createEvidence()
    join(ann)
    leave(ann)
    read()
    clock.advance(censusMs - 1_000)
    join(bob)
    leave(bob)
    clock.advance(1_000)
    const { attributes, invariants } = read()
    assert.equal(attributes?.['mesh.audit.gossip.ghosts'], 1)
    assert.deepEqual(
      invariants?.map(({ isBroken }) => isBroken),
      [false],
    )
  })
})
