import assert from 'node:assert/strict'
import { test } from 'node:test'
import { near, play, refused, seed, upBetween } from '../testing/core/seed-fixture.ts'
import { refusal } from '../testing/core/seed-player.ts'
import { leakCheck } from '../testing/leak-check.ts'

leakCheck()

/** Attributes of the configured seed and of the dialled address. */
const dialled = {
  'server.address': 'seed.example',
  'server.port': 4001,
  'network.peer.address': '192.0.2.1',
  'network.peer.port': 4001,
  'network.transport': 'tcp',
}

test('failed attempt of ten seconds: its retry span has the error and the delay', () => {
  const { player } = play(() => ({ afterMs: 10_000 }))
  player.runUntil(25_000)
  const [first, second] = player.spansNamed('mesh.seed.retry')
  assert.equal(first?.since, 0)
  assert.equal(first?.attributes['mesh.seed.elapsed_ms'], 10_000)
  assert.equal(first?.attributes['mesh.seed.delay_ms'], 1_000)
  near(second?.since, 11_000)
  assert.deepEqual(second?.attributes, {
    'mesh.seed.address': seed,
    'mesh.seed.attempt': 2,
    'mesh.seed.elapsed_ms': 21_000,
    'mesh.seed.addresses': refusal.addresses,
    'mesh.dial.stage': refusal.stage,
    'error.type': refusal.errorType,
    'mesh.error.message': refusal.errorMessage,
    'mesh.seed.delay_ms': 2_000,
    ...dialled,
  })
})

test('seed answers: the campaign ends, and the span has the number of attempts', () => {
  const { dialler, player } = play(upBetween(5_000, Infinity))
  player.runUntil(1_000_000)
  assert.deepEqual(player.dials().map(Math.round), [0, 1_000, 3_000, 7_000])
  assert.deepEqual(
    player.spansNamed('mesh.seed.connected').map(({ attributes }) => attributes),
    [
      {
        'mesh.seed.address': seed,
        'mesh.seed.attempt': 4,
        'mesh.seed.elapsed_ms': 7_000,
        'mesh.peer.id': 'peer-a',
        ...dialled,
      },
    ],
  )
  assert.equal(dialler.deadline(), Infinity)
})

test('campaign: one trace, with its attempts and its end as children of the root', () => {
  const { player } = play(upBetween(5_000, Infinity))
  player.runUntil(10_000)
  const [root] = player.spansNamed('mesh.seed.dial')
  assert.equal(root?.parent, null)
  const children = [...player.spansNamed('mesh.seed.retry'), ...player.spansNamed('mesh.seed.connected')]
  assert.equal(children.length, 4)
  for (const child of children) assert.deepEqual(child.parent, root?.ref)
})

test('later campaign: a trace of its own, linked to the previous one', () => {
  const { player } = play(() => refused)
  player.runUntil(500_000)
  const roots = player.spansNamed('mesh.seed.dial').map(({ ref }) => ref)
  const rearmed = player.spansNamed('mesh.seed.rearmed')
  assert.equal(new Set(roots.map((ref) => ref?.traceId)).size, roots.length)
  assert.equal(rearmed.length, roots.length - 1)
  for (const [i, span] of rearmed.entries()) {
    assert.deepEqual(span.links, [roots[i]])
    assert.deepEqual(span.parent, roots[i + 1])
    assert.equal(span.attributes['mesh.seed.campaign'], i + 2)
  }
})
