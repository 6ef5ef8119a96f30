import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../leak-check.ts'
import { announceSeed } from '../random.ts'
import { SimMesh } from './sim-mesh.ts'

leakCheck()

const windowMs = 30_000
const names = Array.from({ length: 14 }, (_, i) => `node-${i}`)

/** Nodes that want few links: each knows all others and is linked to few. */
async function sparse(seed: number): Promise<SimMesh> {
  const mesh = new SimMesh({ seed, names, settings: { neighbours: 5 } })
  const seeds = [mesh.addressOf('node-0')]
  for (const name of names) await mesh.start(name, name === 'node-0' ? { role: 'seed' } : { seeds })
  mesh.run(180_000)
  for (const name of names) assert.equal(mesh.members(name).length, names.length - 1, name)
  return mesh
}

/** Runs for some minutes and asserts that nobody expires; returns the digests over gossip per node and minute. */
function gossipRate(mesh: SimMesh, minutes: number): number {
  const { gossip } = mesh.world
  const [since, before] = [mesh.clock.now(), gossip.published]
  mesh.run(60_000 * minutes)
  for (const { name } of mesh.nodes) assert.deepEqual(mesh.spansOf(name, 'mesh.member.expired', since), [], name)
  return (gossip.published - before) / mesh.nodes.length / minutes
}

function unlinkedPairs(mesh: SimMesh): number {
  const linked = names.map(
    (name) => names.filter((other) => other !== name && mesh.links(name, other).length > 0).length,
  )
  return linked.reduce((sum, links) => sum + names.length - 1 - links, 0)
}

test('neighbours that vouch for each other: gossip slows down, and no live member expires', async (t) => {
  const mesh = await sparse(announceSeed(t))
  assert.ok(unlinkedPairs(mesh) > 20, 'a complete graph would show nothing')
  const rate = gossipRate(mesh, 30)
  assert.ok(rate < 1.5, `${rate} digests per node and minute`)
  mesh.close()
})

test('a killed node while gossip is slow: linked and unlinked nodes expire it within window + 6 s', async (t) => {
  const mesh = await sparse(announceSeed(t))
  const victims = ['node-3', 'node-7', 'node-0']
  for (const [i, victim] of victims.entries()) {
    const killedAt = mesh.clock.now()
    mesh.kill(victim)
    mesh.run(windowMs + 6_000)
    for (const { name } of mesh.nodes) {
      assert.equal(mesh.spansOf(name, 'mesh.member.expired', killedAt).length, 1, `${name} expires ${victim}`)
      assert.equal(mesh.members(name).length, names.length - 2 - i, name)
    }
    mesh.run(120_000)
  }
  mesh.close()
})

test('an hour in which nodes leave with a goodbye and come back: all others see each leave, and none expires', async (t) => {
  const mesh = await sparse(announceSeed(t))
  const seeds = [mesh.addressOf('node-0')]
  const leaving = names.slice(1)
  const since = mesh.clock.now()
  let [goodbyes, seen, unlinked] = [0, 0, 0]
  while (mesh.clock.now() - since < 3_600_000) {
    const name = leaving[goodbyes % leaving.length] ?? ''
    const { peer } = mesh.node(name)
    const before = mesh.clock.now()
    unlinked += mesh.nodes.filter((one) => one.name !== name && mesh.links(one.name, name).length === 0).length
    await mesh.stop(name)
    mesh.run(20_000)
    seen += mesh.spans.filter(
      ({ at, span, attributes }) => at >= before && span === 'mesh.member.left' && attributes['mesh.peer.id'] === peer,
    ).length
    // Every other one is a pod of a Deployment: it comes back as somebody else.
    await mesh.start(name, { seeds, peer: goodbyes++ % 2 === 0 ? `${name}-${goodbyes}` : peer })
    mesh.run(40_000)
  }
  assert.ok(unlinked > goodbyes, 'a complete graph would show nothing')
  assert.equal(seen, goodbyes * (names.length - 1))
  const expired = mesh.spans.filter(({ at, span }) => at >= since && span === 'mesh.member.expired')
  assert.deepEqual(
    expired.map(({ node, attributes }) => `${node} expired ${attributes['mesh.peer.id']}`),
    [],
  )
  mesh.close()
})

test('links that close while gossip is slow: no member expires', async (t) => {
  const mesh = await sparse(announceSeed(t))
  for (let round = 0; round < 20; round++) {
    const since = mesh.clock.now()
    const [one = '', ...others] = names.slice(round % names.length)
    // Cuts off three of its neighbours for longer than a link may be silent, or than a window.
    const unreachable = others.filter((name) => mesh.links(one, name).length > 0).slice(0, 3)
    const heal = mesh.world.partition([one], unreachable)
    mesh.run(round % 2 === 0 ? 8_000 : 100_000)
    heal()
    mesh.run(50_000 + 7_000 * round)
    for (const name of names) assert.deepEqual(mesh.spansOf(name, 'mesh.member.expired', since), [], `${round} ${name}`)
  }
  mesh.close()
})

test('members that no neighbour can vouch for: gossip keeps its full rate, and no live member expires', async (t) => {
  const chain = names.slice(0, 6)
  const mesh = new SimMesh({ seed: announceSeed(t), names: chain, settings: { neighbours: 1 } })
  for (const [i, name] of chain.entries()) {
    const before = chain[i - 1]
    await mesh.start(name, before === undefined ? {} : { seeds: [mesh.addressOf(before)] })
    mesh.run(5_000)
  }
  mesh.run(180_000)
  assert.equal(mesh.links('node-0', 'node-3').length, 0)
  const rate = gossipRate(mesh, 10)
  assert.ok(rate > 5, `${rate} digests per node and minute`)
  mesh.close()
})

test('members of a bridge’s other mesh: do not keep gossip at its full rate', async (t) => {
  const [here, there] = [
    ['a-1', 'a-2', 'a-3'],
    ['b-1', 'b-2', 'b-3'],
  ] as const
  const mesh = new SimMesh({ seed: announceSeed(t), names: ['bridge', ...here, ...there] })
  await mesh.start('bridge', { role: 'bridge', meshes: ['a', 'b'] })
  const seeds = [mesh.addressOf('bridge')]
  for (const name of here) await mesh.start(name, { meshes: ['a'], seeds })
  for (const name of there) await mesh.start(name, { meshes: ['b'], seeds })
  mesh.run(180_000)
  const rate = gossipRate(mesh, 10)
  assert.ok(rate < 1.5, `${rate} digests per node and minute`)
  mesh.close()
})
