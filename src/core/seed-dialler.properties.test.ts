import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { refusal } from '../testing/core/seed-player.ts'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { seededRandom } from '../testing/random.ts'
import { SeedDialler, type SeedEffect, type SeedEvent } from './seed-dialler.ts'

leakCheck()

const seeds = ['/ip4/192.0.2.1/tcp/4001', '/ip4/192.0.2.2/tcp/4001']
const seed = fc.constantFrom(...seeds)
const peer = fc.constantFrom('peer-a', 'peer-b')

/** Any event of the network, sensible or not. */
const event: fc.Arbitrary<SeedEvent> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<SeedEvent>({ type: 'tick' }) },
  // Rare enough that campaigns end without an answer.
  fc.record({ type: fc.constant('seed.answered' as const), seed, peer, address: seed }),
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('seed.failed' as const), seed, failure: fc.constant(refusal) }),
  },
  fc.record({ type: fc.constant('peers' as const), count: fc.nat(2) }),
  fc.record({ type: fc.constant('disconnected' as const), peer }),
)

/** An event after a pause, or at the deadline of the machine. */
const step = fc.record({ event, pauseMs: fc.option(fc.nat(60_000), { nil: undefined }) })
const steps = fc.array(step, { maxLength: 300, size: 'max' })

interface Step {
  readonly at: number
  readonly event: SeedEvent
  readonly effects: readonly SeedEffect[]
  readonly deadline: number
}

function play(script: readonly { event: SeedEvent; pauseMs: number | undefined }[]): Step[] {
  const dialler = new SeedDialler(seeds, { random: seededRandom(7) })
  let now = 0
  return script.map(({ event, pauseMs }) => {
    const wakeAt = Math.min(dialler.deadline(), now + 600_000)
    now = pauseMs === undefined ? Math.max(now, wakeAt) : now + pauseMs
    return { at: now, event, effects: dialler.handle(event, now), deadline: dialler.deadline() }
  })
}

const ends = ['mesh.seed.retry', 'mesh.seed.connected', 'mesh.seed.giveup']

test('any events: a seed has at most one attempt in flight', (t) =>
  forAll({ t }, [steps], (script) => {
    const inFlight = new Set<string>()
    for (const { effects } of play(script)) {
      for (const effect of effects) {
        if (effect.do === 'dial.seed') {
          assert.ok(!inFlight.has(effect.seed))
          inFlight.add(effect.seed)
        } else if (ends.includes(effect.span) && 'mesh.seed.address' in effect.attributes) {
          assert.ok(inFlight.delete(effect.attributes['mesh.seed.address']), 'an end without an attempt')
        }
      }
    }
  }))

test('after a tick nothing is overdue', (t) =>
  forAll({ t }, [steps], (script) => {
    for (const { at, event, deadline } of play(script)) {
      if (event.type === 'tick') assert.ok(deadline > at, `${deadline} at ${at}`)
    }
  }))

test('a campaign has at most nine retries and one end, each in its trace', (t) =>
  forAll({ t }, [steps], (script) => {
    const campaigns = new Map<string, { retries: number; ends: number }>()
    for (const effect of play(script).flatMap(({ effects }) => effects)) {
      if (effect.do !== 'emit-span') continue
      if (effect.span === 'mesh.seed.dial') campaigns.set(effect.ref?.traceId ?? '', { retries: 0, ends: 0 })
      const campaign = campaigns.get((effect.ref ?? effect.parent)?.traceId ?? '')
      assert.ok(campaign, `${effect.span} outside a campaign`)
      assert.equal(campaign.ends, 0, `${effect.span} after the end`)
      if (effect.span === 'mesh.seed.retry') campaign.retries++
      if (effect.span === 'mesh.seed.giveup') assert.equal(campaign.retries, 9)
      if (effect.span === 'mesh.seed.giveup' || effect.span === 'mesh.seed.connected') campaign.ends++
      assert.ok(campaign.retries <= 9)
    }
  }))

test('unconnected seed: always has a next attempt', (t) =>
  forAll({ t }, [steps], (script) => {
    const dialler = new SeedDialler(seeds, { random: seededRandom(7) })
    let now = 0
    for (const { event, pauseMs } of script) {
      now += pauseMs ?? 0
      dialler.handle(event, now)
      for (const { state, nextAt } of dialler.seeds()) {
        assert.equal(nextAt === undefined, state === 'connected' || state === 'dialling')
        if (nextAt !== undefined) assert.ok(nextAt <= now + 300_000)
      }
    }
  }))
