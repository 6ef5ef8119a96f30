import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { announceSeed, seededRandom } from '../testing/random.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { BridgeRelay, type RelayEffect } from './bridge-relay.ts'
import type { Crossing } from './events.ts'
import { Owner } from './owner.ts'

leakCheck()

interface World {
  /** Meshes of each bridge, by name. */
  readonly bridges: Readonly<Record<string, readonly [string, string]>>
  readonly dead?: readonly string[]
  /** Latencies in milliseconds of the copies of one publication to one bridge in one mesh. */
  readonly delays: () => readonly number[]
}

interface Entry {
  readonly at: number
  readonly mesh: string
  readonly id: string
  readonly by: string
}

/** Publishes messages in their origin meshes and runs the bridges of a world until they are idle. */
function carry({ bridges, dead = [], delays }: World, messages: readonly Crossing[]): Entry[] {
  const clock = new VirtualClock()
  const entries: Entry[] = []
  const live = Object.entries(bridges).filter(([name]) => !dead.includes(name))
  const relays = live.map(([self, meshes]) => {
    const peers = Object.keys(bridges).filter((name) => name !== self && String(bridges[name]) === String(meshes))
    const options = { self, meshes, hopLimit: 4, takeoverMs: 2_000, seenTtlMs: 120_000, bridges: () => peers }
    return { self, meshes, relay: new BridgeRelay(new Owner(self, clock), options) }
  })

  const perform = (by: string, effects: readonly RelayEffect[]) => {
    for (const effect of effects) if (effect.do === 'forward') publish(effect.mesh, effect.crossing, by)
    const { relay } = relays.find(({ self }) => self === by) ?? assert.fail()
    const dueIn = relay.deadline() - clock.now()
    if (dueIn > 20_000) return
    clock.after(dueIn, () => perform(by, relay.handle({ type: 'tick' }, clock.now())))
  }
  const publish = (mesh: string, crossing: Crossing, by: string) => {
    entries.push({ at: clock.now(), mesh, id: crossing.id, by })
    for (const { self, meshes, relay } of relays) {
      if (self === by || !meshes.includes(mesh)) continue
      for (const delay of delays()) {
        clock.after(delay, () => perform(self, relay.handle({ type: 'crossing', mesh, crossing }, clock.now())))
      }
    }
  }

  for (const message of messages) publish(message.originMesh, message, 'origin')
  clock.advance(60_000)
  return entries
}

function messagesOf(meshes: readonly string[], count: number): Crossing[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `origin-${n}/1`,
    origin: `origin-${n}`,
    originMesh: meshes[n % meshes.length] ?? '',
    topic: 'orders',
    hops: 0,
    sealed: new Uint8Array(1),
  }))
}

function count(entries: readonly Entry[], id: string, mesh: string): number {
  return entries.filter((entry) => entry.id === id && entry.mesh === mesh).length
}

const twoBridges = { x: ['a', 'b'], y: ['a', 'b'] } as const
const seeds = fc.integer({ min: 0, max: 2 ** 31 })

/** One to three copies, each with a latency of up to `most` milliseconds. */
function randomDelays(most: number, seed: number): () => readonly number[] {
  const random = seededRandom(seed)
  return () => Array.from({ length: 1 + Math.floor(random() * 3) }, () => Math.floor(random() * most))
}

test('two live bridges, latencies below half the takeover: each message enters each mesh exactly once', (t) =>
  forAll({ t, numRuns: 100 }, [seeds], (runSeed) => {
    const messages = messagesOf(['a', 'b'], 20)
    const entries = carry({ bridges: twoBridges, delays: randomDelays(1_000, runSeed) }, messages)
    for (const { id } of messages) for (const mesh of ['a', 'b']) assert.equal(count(entries, id, mesh), 1)
  }))

test('latencies above the takeover: a message may enter twice, so receivers must detect duplicates by id', (t) => {
  const seed = announceSeed(t)
  const messages = messagesOf(['a'], 200)
  const entries = carry({ bridges: twoBridges, delays: randomDelays(6_000, seed) }, messages)
  const duplicated = messages.filter(({ id }) => count(entries, id, 'b') === 2)
  assert(duplicated.length > 0)
  for (const { id } of messages) assert(count(entries, id, 'b') <= 2, 'at most one copy per bridge')
})

test('two bridges: each forwards for about half of the origins; if one dies, the other takes over within 2 s', () => {
  const messages = messagesOf(['a'], 200)
  const both = carry({ bridges: twoBridges, delays: () => [5] }, messages)
  const forwardedByX = both.filter(({ by }) => by === 'x').length
  assert(forwardedByX > 70 && forwardedByX < 130, `${forwardedByX} of 200`)
  const alone = carry({ bridges: twoBridges, dead: ['x'], delays: () => [5] }, messages)
  for (const { id } of messages) assert.equal(count(alone, id, 'b'), 1)
  assert.deepEqual([...new Set(alone.filter(({ by }) => by === 'y').map(({ at }) => at))].sort(), [2_005, 5])
})

test('triangle of meshes: a message enters every mesh, at most once per bridge, and never its origin again', async (t) => {
  const bridges = { x: ['a', 'b'], y: ['b', 'c'], z: ['a', 'c'], w: ['b', 'c'] } as const
  await forAll({ t, numRuns: 60 }, [seeds], (runSeed) => {
    const messages = messagesOf(['a', 'b', 'c'], 9)
    const entries = carry({ bridges, delays: randomDelays(1_500, runSeed) }, messages)
    for (const { id, originMesh } of messages) {
      assert.equal(count(entries, id, originMesh), 1)
      for (const mesh of ['a', 'b', 'c']) assert(count(entries, id, mesh) >= 1, `${id} did not reach ${mesh}`)
      const forwards = entries.filter((entry) => entry.id === id && entry.by !== 'origin')
      assert.equal(new Set(forwards.map(({ by }) => by)).size, forwards.length)
    }
  })
})

test('chain of meshes: a message passes as many bridges as the hop limit', () => {
  const bridges = { p: ['0', '1'], q: ['1', '2'], r: ['2', '3'], s: ['3', '4'], t: ['4', '5'] } as const
  const entries = carry({ bridges, delays: () => [5] }, messagesOf(['0'], 1))
  const meshes = entries.map(({ mesh }) => mesh)
  assert.deepEqual(meshes, ['0', '1', '2', '3', '4'])
})
