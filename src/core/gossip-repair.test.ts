import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { GossipRepair, type GossipState } from './gossip-repair.ts'

leakCheck()

interface Setting {
  readonly isMember?: boolean
  readonly isFirst?: boolean
  /** Heals are possible from this millisecond on. */
  readonly mayHealAt?: number
}
/** The steps of a repair with a check every 250 ms, with their times. `phases`: `missing 1000, open 500` in ms. */
function stepsOf(phases: string, { isMember = true, isFirst = true, mayHealAt = 0 }: Setting = {}): string[] {
  const repair = new GossipRepair()
  const steps: string[] = []
  let now = 0
  for (const phase of phases.split(', ')) {
    const [state, ms] = phase.split(' ') as [GossipState, string]
    for (const end = now + Number(ms); now < end; now += 250) {
      const step = repair.check({ state, isMember, isFirst }, now >= mayHealAt, now)
      if (step.do === 'healed') steps.push(`${now} healed after ${step.heals} (${step.lack}, ${step.tookMs} ms)`)
      else if (step.do !== 'nothing') steps.push(`${now} ${step.do} ${step.lack}`)
    }
  }
  return steps
}

const guest = { isMember: false }
const threeHeals = '1250 heal missing, 4250 heal missing, 10250 heal missing, 22250 give-up missing'

const cases: readonly (readonly [title: string, phases: string, steps: string, setting?: Setting])[] = [
  ['stream that opens within a second of the connection: no heal', 'missing 1000, open 60000', ''],
  ['peer that waits for streams to others: no heal for a minute', 'waiting 60000, open 1000', ''],
  ['member without inbound stream: no heal for 20 s', 'no-inbound 20000, open 5000', ''],
  ['member without inbound stream for longer: healed', 'no-inbound 20250', '20000 heal no-inbound'],
  ['member without subscription: no heal for 20 s', 'no-subscription 20000, open 5000', ''],
  ['member without subscription for longer: healed', 'no-subscription 20250', '20000 heal no-subscription'],
  ['guest that never had an inbound stream: no heal', 'no-inbound 600000', '', guest],
  ['guest that subscribes within 10 s: no heal', 'no-subscription 10000, open 5000', '', guest],
  [
    'guest that never subscribes: given up once, without heals, which cannot help',
    'no-subscription 600000',
    '10000 give-up no-subscription',
    guest,
  ],
  ['guest that unsubscribes: no heal, no give-up', 'open 5000, no-subscription 600000', '', guest],
  [
    'guest that does not subscribe again after its stream was healed: given up',
    'open 5000, missing 1000, no-subscription 20000',
    '5250 heal missing, 15000 give-up no-subscription',
    guest,
  ],
  ['largest number of heals in progress: waits', 'missing 30250', '30000 heal missing', { mayHealAt: 30_000 }],
  ['peer without gossipsub: no heal', 'none 600000', ''],
  [
    'stream that was open and is lost: healed at once, and the success is reported',
    'open 5000, missing 1000, open 60000',
    '5250 heal missing, 6000 healed after 1 (missing, 1000 ms)',
  ],
  [
    'lost stream, higher peer id of the pair: heals later, so that it does not reset new streams of the lower one',
    'open 1000, no-inbound 2500',
    '3250 heal no-inbound',
    { isFirst: false },
  ],
  ['guest that had a stream: healed', 'open 1000, no-inbound 500', '1250 heal no-inbound', guest],
  [
    'heals that fail: given up after three, 21 s after the first, and healed once a minute from then on',
    'open 1000, missing 150000',
    `${threeHeals}, 82250 heal missing, 142250 heal missing`,
  ],
  [
    'guest that never accepted a stream: healed, and not given up',
    'missing 90000',
    '1000 heal missing, 4000 heal missing, 10000 heal missing, 82000 heal missing',
    guest,
  ],
  ['guest that accepted a stream before: given up', 'open 1000, missing 30000', threeHeals, guest],
  [
    'peer that stopped gossipsub: no heal, no give-up, and a fresh state after its restart',
    'open 5000, missing 500, none 600000, missing 1000, open 1000',
    '5250 heal missing',
    guest,
  ],
]

for (const [title, phases, steps, setting] of cases) {
  test(title, () => assert.equal(stepsOf(phases, setting).join(', '), steps))
}

test('peer that waits for streams to others for longer than a minute: healed again and again, not given up', () => {
  const steps = stepsOf('waiting 600000')
  assert.equal(steps[0], '60000 heal waiting')
  assert.ok(steps.every((step) => step.endsWith('heal waiting')))
})

test('heal that lasts less than 10 s: counts as failed', () => {
  const isGivenUp = (phases: string) => stepsOf(phases).some((step) => step.endsWith('give-up missing'))
  assert.ok(isGivenUp(`open 1000${', missing 15000, open 1000'.repeat(3)}`))
  assert.ok(!isGivenUp(`open 1000${', missing 500, open 10000'.repeat(20)}`))
})

test('check: every half second during a heal, and none once gossip works', () => {
  const repair = new GossipRepair()
  const dueAfter = (state: GossipState, now: number) => {
    repair.check({ state, isMember: true, isFirst: true }, true, now)
    return repair.dueAt
  }
  assert.equal(dueAfter('open', 0), Infinity)
  assert.equal(dueAfter('missing', 1_000), 1_250)
  assert.equal(dueAfter('missing', 1_250), 1_750)
  assert.equal(dueAfter('no-subscription', 1_750), 2_250)
  assert.equal(dueAfter('open', 2_250), Infinity)
})
