import assert from 'node:assert/strict'
import { test } from 'node:test'
import { helloOf, infoOf, makeNode } from '../testing/core/node-fixture.ts'
import { spansNamed } from '../testing/core/view-fixture.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { Driver } from './driver.ts'
import type { Network, NetworkEffect, NetworkEvent } from './events.ts'
import { limits } from './limits.ts'
import { Owner } from './owner.ts'

leakCheck()

/** A node over a network that delivers events from within `perform`. */
function driverFixture(seeds: readonly string[] = [], answers = 1, exportsSpans = true) {
  const clock = new VirtualClock()
  const owner = new Owner('t', clock)
  const node = makeNode({ seeds })
  const sent: NetworkEffect[] = []
  const spans: string[] = []
  const calls: string[] = []
  let deliver: (event: NetworkEvent) => void = () => {}
  const network: Network = {
    self: 'self',
    start: async (to) => {
      deliver = to
    },
    stop: async () => {},
    snapshot: () => [],
    observe: () => {
      calls.push('observe')
      return []
    },
    perform: (effect) => {
      sent.push(effect)
      if (effect.do !== 'dial.seed') return
      const failure = { stage: 'dial', addresses: [], errorType: 'E', errorMessage: 'no' } as const
      for (let i = 0; i < answers; i++) deliver({ type: 'seed.failed', seed: effect.seed, failure })
    },
  }
  let census = 0
  const driver = new Driver({
    node,
    network,
    clock,
    owner,
    emitSpan: (one) => spans.push(one.span),
    exportsSpans,
    census: () => census++,
  })
  const hint = () => deliver({ type: 'changed' })
  return { clock, owner, node, driver, sent, spans, calls, census: () => census, hint }
}

test('event from within an effect: waits in the inbox, machines are never re-entered', async () => {
  const { driver, spans } = driverFixture(['/ip4/127.0.0.1/udp/1/quic-v1'])
  await driver.start([])
  assert.ok(spans.indexOf('mesh.seed.dial') < spans.indexOf('mesh.seed.retry'), spans.join(' '))
})

test('a hint, and a round of 5 s: each observes the network', async () => {
  const { driver, clock, owner, calls, hint } = driverFixture()
  await driver.start([])
  calls.length = 0
  hint()
  clock.advance(5_000)
  await owner.close()
  assert.deepEqual(calls, ['observe', 'observe'])
})

test('full inbox: refuses further events, with one span', async () => {
  for (const [answers, spanCount] of [
    [limits.inbox - 1, 0],
    [limits.inbox + 100, 1],
  ] as const) {
    const { driver, spans } = driverFixture(['/ip4/127.0.0.1/udp/1/quic-v1'], answers)
    await driver.start([])
    assert.equal(spans.filter((span) => span === 'mesh.limit.reached').length, spanCount, `${answers} answers`)
  }
})

test('one timer for all deadlines; closing the owner cancels it', async () => {
  const { driver, clock, owner, spans, census } = driverFixture()
  await driver.start([])
  clock.advance(60_000)
  assert.equal(spans.filter((span) => span === 'mesh.staleness.pruned').length, 12)
  assert.equal(census(), 2)
  assert.ok(clock.pending <= 1, `${clock.pending} timers`)
  await owner.close()
  assert.equal(clock.pending, 0)
})

test('suspended process: emits the stall and suspends expiry', async () => {
  const { driver, node, spans } = driverFixture()
  await driver.start([])
  const effects = node.handle({ type: 'tick' }, node.deadline() + 45_000)
  assert.equal(spansNamed(effects, 'mesh.node.stalled').length, 1)
  const pruned = spansNamed(effects, 'mesh.staleness.pruned')
  const isSuspended = pruned.map(({ attributes }) => attributes['mesh.pruned.suspended'])
  assert.deepEqual(isSuspended, [true])
  assert.ok(!spans.includes('mesh.node.stalled'), 'no stall while it ran')
})

/** Joins a link that the peer or this node dialled. */
function join(driver: Driver, direction: 'inbound' | 'outbound'): void {
  driver.deliver({ type: 'observed', connections: [infoOf({ direction })] })
  driver.deliver({ type: 'stream.open', connection: 'c1' })
  driver.deliver({ type: 'frame', connection: 'c1', frame: { type: 'hello', hello: helloOf() }, wall: 0 })
}

test('digests contain the wall clock of their sending', async () => {
  const { driver, clock, sent, node } = driverFixture()
  await driver.start([])
  join(driver, 'inbound')
  const digests = sent.flatMap((effect) =>
    effect.do === 'send' && effect.frame.type === 'digest' ? [effect.frame.digest] : [],
  )
  assert.equal(digests[0]?.sentAt, clock.wall())
  assert.equal(node.ledger.size, 1)
})

test('a node that exports no spans: its hello and goodbye say that theirs are not sampled', async () => {
  for (const exportsSpans of [true, false]) {
    const { driver, sent } = driverFixture([], 1, exportsSpans)
    await driver.start([])
    join(driver, 'outbound')
    driver.deliver({ type: 'stopping' })
    const frames = sent.flatMap((effect) => (effect.do === 'send' ? [effect.frame] : []))
    const traces = frames.flatMap((frame) =>
      frame.type === 'hello' ? [frame.hello.trace] : frame.type === 'goodbye' ? [frame.trace] : [],
    )
    const sampled = traces.map(({ sampled }) => sampled)
    assert.deepEqual(sampled, exportsSpans ? [undefined, undefined] : [false, false])
  }
})

test('a wait for a condition: ends after the event that fulfils it, at its limit, or when the owner closes', async () => {
  const { driver, clock, owner, hint } = driverFixture()
  await driver.start([])
  let holds = false
  const settled: string[] = []
  const wait = (name: string) => driver.waitFor(() => holds, 1_000).then(() => settled.push(name))
  const fulfilled = wait('fulfilled')
  hint()
  await null
  assert.deepEqual(settled, [])
  holds = true
  hint()
  await fulfilled
  holds = false
  const limited = wait('limited')
  clock.advance(1_000)
  await limited
  const closed = wait('closed')
  await owner.close()
  await closed
  await wait('after the close')
  assert.deepEqual(settled, ['fulfilled', 'limited', 'closed', 'after the close'])
})
