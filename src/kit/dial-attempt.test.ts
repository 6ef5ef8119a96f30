import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import type { NetworkComponents } from './components.ts'
import { type AttemptEvents, DialAttempt, type DialOutcome, type TriedPaths } from './dial-attempt.ts'

leakCheck()

/** A dial whose answers the test gives. */
function attempt(count: number, limitMs = 10_000, hooks: Partial<AttemptEvents> = {}) {
  const clock = new VirtualClock()
  const owner = new Owner('test', clock)
  const events = new EventTarget()
  const dials: {
    at: number
    signal: AbortSignal
    open(connection: Connection): void
    fail(error: Error): void
    progress(): void
  }[] = []
  const dial = (_: unknown, { signal, onProgress }: { signal: AbortSignal; onProgress(): void }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Connection>()
    dials.push({ at: clock.now(), signal, open: resolve, fail: reject, progress: onProgress })
    return promise
  }
  const components = { events, transportManager: { dial } } as unknown as NetworkComponents
  const addresses = Array.from({ length: count }, (_, index) => multiaddr(`/ip4/10.0.0.${index + 1}/udp/1/quic-v1`))
  const outcomes: DialOutcome[] = []
  const child = owner.child('attempt')
  const tried: TriedPaths[] = []
  const duplicates: Connection[] = []
  new DialAttempt(components, child, addresses, {
    onDone: (outcome) => outcomes.push(outcome),
    onPathsTried: (paths) => tried.push(paths),
    onDuplicate: (connection) => duplicates.push(connection),
    ...hooks,
  }).start(limitMs)
  const emitSpan = (type: string, detail: unknown) => events.dispatchEvent(Object.assign(new Event(type), { detail }))
  return { clock, owner, dials, outcomes, tried, duplicates, emitSpan }
}

function connection(status = 'open'): Connection & { readonly aborted: boolean } {
  const fake = { status, aborted: false, abort: () => Object.assign(fake, { aborted: true, status: 'aborted' }) }
  return fake as unknown as Connection & { readonly aborted: boolean }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('one attempt over several addresses', () => {
  test('starts them 250 ms apart, and the next one at once when one fails', async () => {
    const { clock, dials } = attempt(4)
    await settle()
    clock.advance(250)
    await settle()
    dials[0]?.fail(new Error('refused'))
    await settle()
    clock.advance(250)
    await settle()
    assert.deepEqual(
      dials.map(({ at }) => at),
      [0, 250, 250, 500],
    )
  })

  test('succeeds at identify, not at the connection; what opens later is closed, what is under way called off', async () => {
    const { clock, dials, outcomes, emitSpan, owner } = attempt(3)
    await settle()
    clock.advance(500)
    await settle()
    const [first, second, third] = [connection(), connection(), connection()]
    dials[0]?.open(first)
    dials[1]?.open(second)
    await settle()
    assert.deepEqual(outcomes, [])
    emitSpan('peer:identify', { connection: second })
    assert.deepEqual(outcomes, [{ ok: true, connection: second, others: [first] }])
    assert.deepEqual([first.aborted, second.aborted], [true, false])
    await settle()
    assert.equal(dials[2]?.signal.aborted, true)
    assert.equal(dials[1]?.signal.aborted, false, 'TCP would end the connection that was handed out')
    dials[2]?.open(third)
    await settle()
    assert.equal(third.aborted, true)
    assert.deepEqual(owner.inventory().resources, [])
  })

  test('with a connection open, the next address waits a second for identify', async () => {
    const { clock, dials } = attempt(2)
    await settle()
    dials[0]?.open(connection())
    await settle()
    clock.advance(999)
    assert.equal(dials.length, 1)
    clock.advance(1)
    await settle()
    assert.equal(dials.length, 2)
  })

  test('a connection that the other side drops before identify has failed there', async () => {
    const { dials, outcomes, emitSpan } = attempt(1)
    await settle()
    const refused = connection()
    dials[0]?.open(refused)
    await settle()
    emitSpan('connection:close', refused)
    const [outcome] = outcomes
    assert.ok(outcome?.ok === false)
    assert.deepEqual(
      outcome.failures.map(({ stage, type }) => [stage, type]),
      [['identify', 'ConnectionClosed']],
    )
  })

  test('ends when its time is over, and closes a dial that succeeds after that', async () => {
    const { clock, dials, outcomes } = attempt(1, 3_000)
    await settle()
    clock.advance(3_000)
    const [outcome] = outcomes
    assert.ok(outcome?.ok === false)
    assert.deepEqual(
      outcome.failures.map(({ stage, type, address }) => [stage, type, address]),
      [['dial', 'TimeoutError', '/ip4/10.0.0.1/udp/1/quic-v1']],
    )
    const late = connection()
    dials[0]?.open(late)
    await settle()
    assert.equal(late.aborted, true)
    assert.equal(outcomes.length, 1)
  })

  test('a peer that never identifies is dropped at the limit', async () => {
    const { clock, dials, outcomes } = attempt(1, 3_000)
    await settle()
    const mute = connection()
    dials[0]?.open(mute)
    await settle()
    clock.advance(3_000)
    assert.equal(outcomes[0]?.ok === false && outcomes[0].failures[0]?.stage, 'identify')
    assert.equal(mute.aborted, true)
  })

  test('whose owner is closed says nothing and holds nothing', async () => {
    const { clock, dials, outcomes, owner } = attempt(2)
    await settle()
    await owner.close()
    clock.advance(20_000)
    assert.deepEqual(outcomes, [])
    assert.equal(dials[0]?.signal.aborted, true)
    assert.equal(clock.pending, 0)
  })
})

describe('addresses that were tried before the one that succeeded', () => {
  /** The second address wins while the first one is silent. */
  async function won() {
    const scene = attempt(3)
    await settle()
    scene.clock.advance(250)
    await settle()
    const connected = connection()
    scene.dials[1]?.open(connected)
    await settle()
    scene.emitSpan('peer:identify', { connection: connected })
    await settle()
    assert.equal(scene.outcomes[0]?.ok, true)
    return scene
  }
  const texts = ({ worked, failures }: TriedPaths) => ({
    worked: worked.map(String),
    failed: failures.map(({ address, type }) => [address, type]),
  })
  const [first, second] = ['/ip4/10.0.0.1/udp/1/quic-v1', '/ip4/10.0.0.2/udp/1/quic-v1']

  test('one that fails later is reported when it fails', async () => {
    const { dials, tried, owner } = await won()
    assert.deepEqual([tried, dials[0]?.signal.aborted], [[], false])
    dials[0]?.fail(Object.assign(new Error('timed out'), { code: 'Unknown' }))
    await settle()
    assert.deepEqual(tried.map(texts), [{ worked: [second], failed: [[first, 'TimeoutError']] }])
    await settle()
    assert.deepEqual(owner.inventory().resources, [])
  })

  test('one that never ends is called off at the limit, and has timed out', async () => {
    const { clock, dials, tried } = await won()
    clock.advance(10_000)
    await settle()
    assert.deepEqual(tried.map(texts), [{ worked: [second], failed: [[first, 'TimeoutError']] }])
    assert.equal(dials[0]?.signal.aborted, true)
  })

  test('one that answers late has worked, and its connection is a duplicate that is aborted', async () => {
    const { dials, tried, duplicates } = await won()
    const late = connection()
    dials[0]?.open(late)
    await settle()
    assert.deepEqual(tried.map(texts), [{ worked: [second, first], failed: [] }])
    assert.deepEqual([duplicates, late.aborted], [[late], true])
  })

  test('nothing is reported once the node stops', async () => {
    const { owner, dials, tried } = await won()
    await owner.close()
    dials[0]?.fail(new Error('aborted'))
    await settle()
    assert.deepEqual([tried, dials[0]?.signal.aborted], [[], true])
  })
})

describe('an attempt whose connections the application shares', () => {
  test('calls off slower dials too once one address has succeeded', async () => {
    const { clock, dials, outcomes, emitSpan, tried } = attempt(3, 10_000, { abortsSlower: true })
    await settle()
    clock.advance(500)
    await settle()
    const connected = connection()
    dials[1]?.open(connected)
    await settle()
    emitSpan('peer:identify', { connection: connected })
    assert.equal(outcomes[0]?.ok, true)
    assert.deepEqual(
      dials.map(({ signal }) => signal.aborted),
      [true, false, true],
    )
    assert.deepEqual(
      tried.map(({ worked, failures }) => [worked.length, failures.length]),
      [[1, 0]],
    )
  })

  test('hands over each connection that it does not need: slower ones, late ones, unidentified ones', async () => {
    const dropped: Connection[] = []
    const onUnneeded = (one: Connection) => dropped.push(one)
    const { dials, clock, emitSpan } = attempt(3, 10_000, { onUnneeded })
    await settle()
    clock.advance(500)
    await settle()
    const [first, second, third] = [connection(), connection(), connection()]
    dials[0]?.open(first)
    dials[1]?.open(second)
    await settle()
    emitSpan('peer:identify', { connection: second })
    dials[2]?.open(third)
    await settle()
    const silent = attempt(1, 3_000, { onUnneeded })
    await settle()
    const unidentified = connection()
    silent.dials[0]?.open(unidentified)
    await settle()
    silent.clock.advance(3_000)
    assert.deepEqual(dropped, [first, third, unidentified])
    assert.ok(!dropped.some((one) => one.status === 'aborted'))
  })
})

describe('an attempt beside other code that dials the same peer', () => {
  test('is called off before it becomes a connection', async () => {
    let other = false
    const { clock, dials, outcomes } = attempt(3, 10_000, { shouldYield: () => other })
    await settle()
    clock.advance(250)
    await settle()
    assert.equal(dials.length, 2)
    other = true
    dials[0]?.progress()
    assert.deepEqual(outcomes, [{ ok: false, failures: [], hasYielded: true }])
    await settle()
    assert.deepEqual(
      dials.map(({ signal }) => signal.aborted),
      [true, true],
    )
    clock.advance(10_000)
    await settle()
    assert.deepEqual([dials.length, outcomes.length], [2, 1])
  })

  test('looks again while a handshake takes its time', async () => {
    let other = false
    const { clock, outcomes } = attempt(1, 10_000, { shouldYield: () => other })
    await settle()
    clock.advance(5_000)
    other = true
    clock.advance(250)
    assert.deepEqual(outcomes, [{ ok: false, failures: [], hasYielded: true }])
  })

  test('is not called off once a connection of its own is there', async () => {
    let other = false
    const { clock, dials, outcomes, emitSpan } = attempt(2, 10_000, { shouldYield: () => other })
    await settle()
    const first = connection()
    dials[0]?.open(first)
    await settle()
    other = true
    dials[0]?.progress()
    clock.advance(1_000)
    await settle()
    assert.deepEqual(outcomes, [])
    emitSpan('peer:identify', { connection: first })
    assert.deepEqual(outcomes, [{ ok: true, connection: first, others: [] }])
  })
})
