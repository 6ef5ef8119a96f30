import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../leak-check.ts'
import { announceSeed, seededRandom } from '../random.ts'
import { requireBounds, SimMesh, type SimNode } from './sim-mesh.ts'

leakCheck()

const six = ['seed', 'b', 'c', 'd', 'e', 'f'] as const
const without = (name: string) => six.filter((one) => one !== name)
/** All but the node that the tests stop. */
const others = without('d')
const windowMs = 30_000

interface StartOptions {
  readonly seed: number
  readonly names?: readonly string[]
  readonly seedAfterMs?: number
}

/** Starts all but the first node at once and the first, their seed, after `seedAfterMs`. */
async function startMesh({ seed, names = six, seedAfterMs = 0 }: StartOptions): Promise<SimMesh> {
  const mesh = new SimMesh({ seed, names })
  const [first = '', ...others] = names
  const seeds = [mesh.addressOf(first)]
  for (const name of others) await mesh.start(name, { seeds })
  mesh.run(seedAfterMs)
  await mesh.start(first, { role: 'seed' })
  return mesh
}

/** A test of six nodes, each of which sees all others. */
function meshTest(title: string, run: (mesh: SimMesh) => void | Promise<void>): void {
  test(title, async (t) => {
    const mesh = await startMesh({ seed: announceSeed(t) })
    runUntilComplete(mesh, 60_000)
    mesh.run(10_000)
    await run(mesh)
    mesh.close()
  })
}

/** Every node sees every other one as a member. */
function isComplete(mesh: SimMesh): boolean {
  return mesh.nodes.every(({ name }) => mesh.members(name).length === mesh.nodes.length - 1)
}

function runUntilComplete(mesh: SimMesh, limitMs: number): void {
  const tookMs = mesh.runUntil(() => isComplete(mesh), limitMs)
  assert.ok(tookMs < Infinity, `not complete after ${limitMs} ms: ${describeMembers(mesh)}`)
}

/** Peers that a node has expired since `since`. */
function expiredBy(mesh: SimMesh, name: string, since = 0): unknown[] {
  return mesh.spansOf(name, 'mesh.member.expired', since).map(({ attributes }) => attributes['mesh.peer.id'])
}

function describeMembers(mesh: SimMesh): string {
  return mesh.nodes.map(({ name }) => `${name} sees ${mesh.members(name).join(' ') || 'none'}`).join('; ')
}

function pairs(mesh: SimMesh): [SimNode, SimNode][] {
  return mesh.nodes.flatMap((one, index) =>
    mesh.nodes.slice(index + 1).map((other): [SimNode, SimNode] => [one, other]),
  )
}

/** Pairs with more than one connection, or whose ends do not name the same link. */
function linkMismatches(mesh: SimMesh): string[] {
  return pairs(mesh).flatMap(([one, other]) => {
    const counts = [mesh.links(one.name, other.name).length, mesh.links(other.name, one.name).length]
    const ids = [one.node.ledger.joinedLink(other.peer)?.id, other.node.ledger.joinedLink(one.peer)?.id]
    const fine = counts[0] === counts[1] && (counts[0] ?? 0) <= 1 && ids[0] === ids[1]
    return fine ? [] : [`${one.name}-${other.name}: ${counts.join('/')} connections, links ${ids.join('/')}`]
  })
}

test('six nodes whose seed starts 20 s late: each retries in a campaign, then sees all others', async (t) => {
  const mesh = await startMesh({ seed: announceSeed(t), seedAfterMs: 20_000 })
  // The longest wait and 15 s.
  runUntilComplete(mesh, 31_000)
  mesh.run(10_000)
  assert.deepEqual(linkMismatches(mesh), [])
  for (const name of six.slice(1)) {
    const [root] = mesh.spansOf(name, 'mesh.seed.dial')
    const retries = mesh.spansOf(name, 'mesh.seed.retry')
    const [connected] = mesh.spansOf(name, 'mesh.seed.connected')
    assert.ok(root && connected && retries.length >= 1, `${name} emits the spans of its campaign`)
    for (const child of [...retries, connected]) assert.deepEqual(child.parent, root.ref)
    assert.equal(connected.attributes['mesh.peer.id'], 'seed')
  }
  mesh.close()
})

meshTest('six nodes for a minute: each emits its sweep every 5 s, in the window of the minute', async (mesh) => {
  const since = mesh.clock.now()
  mesh.run(60_000)
  for (const name of six) {
    const windows = mesh.spansOf(name, 'mesh.window').map((span) => span.ref?.spanId)
    const sweeps = mesh.spansOf(name, 'mesh.staleness.pruned', since)
    assert.ok(sweeps.length >= 11 && sweeps.length <= 13, `${sweeps.length} sweeps in a minute`)
    for (const sweep of sweeps) assert.ok(windows.includes(sweep.parent?.spanId))
  }
})

meshTest('a new link: both ends emit its hello in one trace', async (mesh) => {
  const link = mesh.node('b').node.ledger.joinedLink('seed')
  assert.ok(link)
  const helloSpans = ['b', 'seed'].map((name) =>
    mesh.spansOf(name, 'mesh.hello.received').find((span) => span.attributes['mesh.link.id'] === link.id),
  )
  assert.ok(helloSpans[0]?.parent && helloSpans[1]?.parent)
  assert.equal(helloSpans[0].parent.traceId, helloSpans[1].parent.traceId)
})

meshTest(
  'a killed node: every other node expires it within window + 6 s and closes its links within 4 s',
  async (mesh) => {
    const linked = others.filter((name) => mesh.links(name, 'd').length > 0)
    const killedAt = mesh.clock.now()
    mesh.kill('d')
    mesh.run(windowMs + 6_000)
    for (const name of others) {
      assert.deepEqual(expiredBy(mesh, name, killedAt), ['d'], `${name} expires only d`)
      assert.ok(!mesh.members(name).includes('d'))
      const listed = mesh.node(name).node.view.topology()
      assert.ok(!listed.some(({ peer }) => peer === 'd'))
    }
    for (const name of linked) {
      const [closed] = mesh.spansOf(name, 'mesh.connection.closed', killedAt)
      assert.ok(closed && closed.at - killedAt <= 4_000, `${name} closes in time`)
      assert.equal(closed.attributes['mesh.peer.id'], 'd')
    }
    assert.ok(linked.length > 0)
  },
)

meshTest('a node that sends goodbye: all others see it leave and do not expire it', async (mesh) => {
  const since = mesh.clock.now()
  await mesh.stop('d')
  mesh.run(windowMs + 6_000)
  for (const { name } of mesh.nodes) {
    assert.equal(mesh.spansOf(name, 'mesh.member.left', since).length, 1, name)
    assert.deepEqual(expiredBy(mesh, name, since), [])
    assert.ok(!mesh.members(name).includes('d'))
  }
})

meshTest(
  'a killed node that restarts within 10 s with its identity: linked and alive again within 15 s',
  async (mesh) => {
    mesh.kill('d')
    mesh.run(1_000)
    const back = await mesh.start('d', { seeds: [mesh.addressOf('seed')] })
    assert.equal(back.incarnation, 2)
    const since = mesh.clock.now()
    const isBack = ({ node }: SimNode) => node.view.get('d')?.digest.incarnation === 2
    const tookMs = mesh.runUntil(() => isComplete(mesh) && others.every((name) => isBack(mesh.node(name))), 15_000)
    assert.ok(tookMs < Infinity, describeMembers(mesh))
    mesh.run(15_000)
    assert.deepEqual(linkMismatches(mesh), [])
    for (const name of others) assert.deepEqual(expiredBy(mesh, name, since), [])
    const isOpen = ({ network }: SimNode) => network.snapshot().every(({ gossip }) => gossip === 'open')
    assert.ok(mesh.nodes.every(isOpen), 'gossip is open on every link')
  },
)

meshTest('a killed node that restarts with a new identity: a new member joins, the old one expires', async (mesh) => {
  mesh.kill('d')
  await mesh.start('d', { peer: 'd-again', seeds: [mesh.addressOf('seed')] })
  mesh.run(windowMs + 6_000)
  for (const name of others) {
    assert.ok(mesh.members(name).includes('d-again'))
    assert.ok(!mesh.members(name).includes('d'))
  }
})

meshTest('a node frozen for 45 s: expires no healthy member, and is back within 15 s', async (mesh) => {
  const wake = mesh.world.freeze('d')
  mesh.run(45_000)
  for (const name of others) assert.ok(!mesh.members(name).includes('d'))
  const since = mesh.clock.now()
  wake()
  runUntilComplete(mesh, 15_000)
  mesh.run(60_000)
  assert.deepEqual(expiredBy(mesh, 'd'), [])
  assert.equal(mesh.spansOf('d', 'mesh.node.stalled', since).length, 1)
  assert.deepEqual(linkMismatches(mesh), [])
})

test('four nodes that dial each other at once: one link per pair, the same on both ends', async (t) => {
  const seed = announceSeed(t)
  const names = ['a', 'b', 'c', 'd']
  for (let round = 0; round < 25; round++) {
    const mesh = new SimMesh({ seed: seed + round, names, latencyMs: [1, 50] })
    for (const name of names)
      await mesh.start(name, { seeds: names.filter((other) => other !== name).map((other) => mesh.addressOf(other)) })
    const tookMs = mesh.runUntil(() => areAllLinked(mesh), 5_000)
    assert.ok(tookMs <= 3_000, `round ${round}: ${tookMs} ms, ${linkMismatches(mesh).join('; ')}`)
    mesh.run(5_000)
    assert.ok(areAllLinked(mesh), `round ${round}, 5 s later: ${linkMismatches(mesh).join('; ')}`)
    mesh.close()
  }
})

meshTest('a partition: each side expires the other, and healing restores one mesh', async (mesh) => {
  const [left, right] = [six.slice(0, 3), six.slice(3)]
  const heal = mesh.world.partition(left, right)
  mesh.run(windowMs + 10_000)
  for (const side of [left, right])
    for (const name of side) assert.deepEqual(mesh.members(name), side.filter((one) => one !== name).sort())
  heal()
  runUntilComplete(mesh, 120_000)
  mesh.run(10_000)
  assert.deepEqual(linkMismatches(mesh), [])
})

meshTest('digests that arrive late: do not refresh a dead member', async (mesh) => {
  mesh.kill('d')
  const since = mesh.clock.now()
  for (let second = 0; second < 36; second++) {
    mesh.run(1_000)
    mesh.world.replayGossip()
  }
  mesh.run(10_000)
  for (const name of others)
    assert.deepEqual([expiredBy(mesh, name, since), mesh.members(name).includes('d')], [['d'], false])
})

for (const [where, skewMs, observedMs] of [
  ['ahead', 60_000, 60_000],
  ['behind', -60_000, 120_000],
] as const)
  meshTest(`a clock one minute ${where}: another node emits the skew, no member expires`, (mesh) => {
    const since = mesh.clock.now()
    mesh.world.skew('d', skewMs)
    mesh.run(observedMs)
    const emitters = mesh.nodes.filter(({ name }) => mesh.spansOf(name, 'mesh.clock.skewed', since).length > 0)
    assert.ok(emitters.some(({ name }) => name !== 'd'))
    for (const { name } of mesh.nodes) assert.deepEqual(expiredBy(mesh, name, since), [])
  })

test('a bridge of two meshes: a member of both, whose members do not see each other', async (t) => {
  const names = ['bridge', 'a1', 'a2', 'b1', 'b2']
  const mesh = new SimMesh({ seed: announceSeed(t), names })
  const seeds = [mesh.addressOf('bridge')]
  await mesh.start('bridge', { role: 'bridge', meshes: ['alpha', 'beta'] })
  for (const name of ['a1', 'a2']) await mesh.start(name, { meshes: ['alpha'], seeds })
  for (const name of ['b1', 'b2']) await mesh.start(name, { meshes: ['beta'], seeds })
  mesh.run(40_000)
  assert.deepEqual(mesh.members('bridge'), ['a1', 'a2', 'b1', 'b2'])
  assert.deepEqual(mesh.members('a1'), ['a2', 'bridge'])
  assert.deepEqual(mesh.members('b2'), ['b1', 'bridge'])
  forwardCrossing(mesh, 'a1:1')
  const [forwarded, ...more] = mesh.spansOf('bridge', 'mesh.bridge.forwarded')
  assert.deepEqual([forwarded?.attributes['mesh.bridge.to'], more], ['beta', []])
  mesh.close()
})

test('two bridges: one forwards each message, and after its kill the other one does', async (t) => {
  const names = ['p', 'q', 'a1', 'b1']
  const mesh = new SimMesh({ seed: announceSeed(t), names })
  const seeds = [mesh.addressOf('p'), mesh.addressOf('q')]
  for (const name of ['p', 'q']) await mesh.start(name, { role: 'bridge', meshes: ['alpha', 'beta'], seeds })
  await mesh.start('a1', { meshes: ['alpha'], seeds })
  await mesh.start('b1', { meshes: ['beta'], seeds })
  mesh.run(40_000)
  let sent = 0
  const publish = () => {
    const id = `a1:${++sent}`
    forwardCrossing(mesh, id)
    return ['p', 'q'].filter((name) =>
      mesh.spansOf(name, 'mesh.bridge.forwarded').some((span) => span.attributes['mesh.message.id'] === id),
    )
  }
  const [acting = '', ...more] = publish()
  assert.ok(acting !== '' && more.length === 0, 'exactly one forwards')
  assert.deepEqual(publish(), [acting], 'the same one for the same origin')
  mesh.kill(acting)
  assert.deepEqual(publish(), [acting === 'p' ? 'q' : 'p'], 'the other one after the kill')
  mesh.close()
})

/** Sends a message for other meshes from a1. */
function forwardCrossing(mesh: SimMesh, id: string): void {
  const crossing = { id, origin: 'a1', originMesh: 'alpha', topic: 't', hops: 0, sealed: new Uint8Array(8) }
  mesh.node('a1').network.perform({ do: 'forward', mesh: 'alpha', crossing })
  mesh.run(5_000)
}

test('two runs of one seed: the same spans; another seed: different spans', async (t) => {
  const seed = announceSeed(t)
  const run = async (of: number) => {
    const mesh = await startMesh({ seed: of, seedAfterMs: 5_000 })
    mesh.run(20_000)
    mesh.kill('e')
    mesh.run(20_000)
    mesh.close()
    return mesh.hash
  }
  const first = await run(seed)
  assert.equal(await run(seed), first)
  assert.notEqual(await run(seed + 1), first)
})

test('a hundred random runs with faults: afterwards one link per pair, every registry within its bound', async (t) => {
  const seed = announceSeed(t)
  const runs = process.env['SEED'] === undefined ? 100 : 1
  for (let index = 0; index < runs; index++) await runWithFaults(seed + index)
})

/** A short run with random faults from the seed, all of them healed, then time to recover. */
async function runWithFaults(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T
  const mesh = await startMesh({ seed, seedAfterMs: 5_000 * random() })
  mesh.run(5_000 + 10_000 * random())
  for (let fault = 0; fault < 3; fault++) {
    const name = pick(six)
    const faults = {
      kill: () => {
        mesh.kill(name)
        return () => mesh.start(name, name === 'seed' ? {} : { seeds: [mesh.addressOf('seed')] })
      },
      freeze: () => mesh.world.freeze(name),
      partition: () => mesh.world.partition([name], without(name)),
      delay: () => mesh.world.delay(name, 2_000 * random()),
    }
    const heal = pick(Object.values(faults))()
    mesh.run(20_000 * random())
    await heal()
    mesh.run(5_000 * random())
  }
  const tookMs = mesh.runUntil(() => isComplete(mesh) && linkMismatches(mesh).length === 0, 180_000, 1_000)
  assert.ok(tookMs < Infinity, `SEED=${seed}: ${describeMembers(mesh)} ${linkMismatches(mesh).join('; ')}`)
  mesh.run(20_000)
  assert.deepEqual(linkMismatches(mesh), [], `SEED=${seed}`)
  for (const { name, owner } of mesh.nodes) requireBounds(name, owner.inventory())
  mesh.close()
}

function areAllLinked(mesh: SimMesh): boolean {
  const both = pairs(mesh).every(([one, other]) => one.node.ledger.joinedLink(other.peer) !== undefined)
  return both && linkMismatches(mesh).length === 0
}
