import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { GossipRepair, type GossipState } from './gossip-repair.ts'

leakCheck()

/** A repair with a check every 250 ms; records the steps and their times. */
function repair({ member = true, first = true } = {}) {
  const one = new GossipRepair()
  const steps: string[] = []
  let now = 0
  return {
    steps,
    observe(state: GossipState, ms: number, mayHeal = true) {
      for (const end = now + ms; now < end; now += 250) {
        const step = one.check({ state, isMember: member, isFirst: first }, mayHeal, now)
        if (step.do === 'healed') steps.push(`${now} healed after ${step.heals} (${step.lack}, ${step.tookMs} ms)`)
        else if (step.do !== 'nothing') steps.push(`${now} ${step.do} ${step.lack}`)
      }
      return this
    },
  }
}

describe('slow gossip: no heal', () => {
  test('a stream that opens within a second of the connection', () => {
    assert.deepEqual(repair().observe('missing', 1_000).observe('open', 60_000).steps, [])
  })

  test('a peer that waits for streams to others: none for a minute, and no give-up', () => {
    assert.deepEqual(repair().observe('waiting', 60_000).observe('open', 1_000).steps, [])
    const { steps } = repair().observe('waiting', 600_000)
    assert.equal(steps[0], '60000 heal waiting')
    assert.ok(steps.every((step) => step.endsWith('heal waiting')))
  })

  test('a member without inbound stream or subscription: none for 20 s', () => {
    for (const state of ['no-inbound', 'no-subscription'] as const) {
      assert.deepEqual(repair().observe(state, 20_000).observe('open', 5_000).steps, [])
      assert.deepEqual(repair().observe(state, 20_250).steps, [`20000 heal ${state}`])
    }
  })

  test('a guest that never had an inbound stream', () => {
    assert.deepEqual(repair({ member: false }).observe('no-inbound', 600_000).steps, [])
  })

  test('while the largest number of heals are in progress', () => {
    assert.deepEqual(repair().observe('missing', 30_000, false).observe('missing', 250).steps, ['30000 heal missing'])
  })
})

describe('lost gossip: healed', () => {
  test('at once if it was open before, and the success is reported', () => {
    const { steps } = repair().observe('open', 5_000).observe('missing', 1_000).observe('open', 60_000)
    assert.deepEqual(steps, ['5250 heal missing', '6000 healed after 1 (missing, 1000 ms)'])
  })

  test('by the lower peer id of the pair first, so that the other does not reset its new streams', () => {
    assert.deepEqual(repair({ first: false }).observe('open', 1_000).observe('no-inbound', 2_500).steps, [
      '3250 heal no-inbound',
    ])
  })

  test('with a check every half second during a heal, and none once gossip works', () => {
    const one = new GossipRepair()
    const check = (state: GossipState, now: number) => one.check({ state, isMember: true, isFirst: true }, true, now)
    check('open', 0)
    assert.equal(one.dueAt, Infinity)
    check('missing', 1_000)
    assert.equal(one.dueAt, 1_250)
    check('missing', 1_250)
    assert.equal(one.dueAt, 1_750)
    check('no-subscription', 1_750)
    assert.equal(one.dueAt, 2_250)
    check('open', 2_250)
    assert.equal(one.dueAt, Infinity)
  })

  test('also for a guest that had a stream', () => {
    const { steps } = repair({ member: false }).observe('open', 1_000).observe('no-inbound', 500)
    assert.deepEqual(steps, ['1250 heal no-inbound'])
  })
})

describe('gossip that cannot be healed', () => {
  test('is given up after three heals, 21 s after the first, and healed once a minute from then on', () => {
    const { steps } = repair().observe('open', 1_000).observe('missing', 150_000)
    assert.deepEqual(steps, [
      '1250 heal missing',
      '4250 heal missing',
      '10250 heal missing',
      '22250 give-up missing',
      '82250 heal missing',
      '142250 heal missing',
    ])
  })

  test('a heal that lasts less than 10 s counts as failed', () => {
    const one = repair().observe('open', 1_000)
    for (let round = 0; round < 3; round++) one.observe('missing', 15_000).observe('open', 1_000)
    assert.ok(one.steps.some((step) => step.endsWith('give-up missing')))
    const steady = repair().observe('open', 1_000)
    for (let round = 0; round < 20; round++) steady.observe('missing', 500).observe('open', 10_000)
    assert.ok(!steady.steps.some((step) => step.endsWith('give-up missing')))
  })

  test('of a guest: give-up only if the guest accepted a stream before', () => {
    const withoutStream = repair({ member: false }).observe('missing', 90_000).steps
    assert.deepEqual(withoutStream, [
      '1000 heal missing',
      '4000 heal missing',
      '10000 heal missing',
      '82000 heal missing',
    ])
    const withStream = repair({ member: false }).observe('open', 1_000).observe('missing', 30_000).steps
    assert.equal(withStream.at(-1), '22250 give-up missing')
  })

  test('of a peer that stopped gossipsub: no heal, no give-up, and a fresh state after its restart', () => {
    const one = repair({ member: false }).observe('open', 5_000).observe('missing', 500).observe('none', 600_000)
    assert.deepEqual(one.steps, ['5250 heal missing'])
    one.observe('missing', 1_000).observe('open', 1_000)
    assert.deepEqual(one.steps, ['5250 heal missing'])
  })

  test('a stuck stream that blocks all others: given up at once', () => {
    assert.deepEqual(repair().observe('stuck', 250).steps, ['0 give-up stuck'])
  })

  test('a peer without gossipsub: no heal', () => {
    assert.deepEqual(repair().observe('none', 600_000).steps, [])
  })
})
