import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import type { NetworkComponents } from './components.ts'
import { type AttemptEvents, DialAttempt, type DialOutcome, type TriedPaths } from './dial-attempt.ts'

leakCheck()

/** An attempt whose dials the test resolves. */
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
  const triedPaths: TriedPaths[] = []
  const duplicates: Connection[] = []
  new DialAttempt(components, child, addresses, {
    onDone: (outcome) => outcomes.push(outcome),
    onPathsTried: (paths) => triedPaths.push(paths),
    onDuplicate: (connection) => duplicates.push(connection),
    ...hooks,
  }).start(limitMs)
  const dispatch = (type: string, detail: unknown) => events.dispatchEvent(Object.assign(new Event(type), { detail }))
  return { clock, owner, dials, outcomes, triedPaths, duplicates, dispatch }
}

function connection(status = 'open'): Connection & { readonly aborted: boolean } {
  const fake = { status, aborted: false, abort: () => Object.assign(fake, { aborted: true, status: 'aborted' }) }
  return fake as unknown as Connection & { readonly aborted: boolean }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('one attempt over several addresses', () => {
  test('dials start 250 ms apart, and the next at once when one fails', async () => {
    const { clock, dials } = attempt(4)
    await nextTurn()
    clock.advance(250)
    await nextTurn()
    dials[0]?.fail(new Error('refused'))
    await nextTurn()
    clock.advance(250)
    await nextTurn()
    assert.deepEqual(
      dials.map(({ at }) => at),
      [0, 250, 250, 500],
    )
  })

  test('an identified connection ends the attempt: it drops other connections and aborts later dials', async () => {
    const { clock, dials, outcomes, dispatch, owner } = attempt(3)
    await nextTurn()
    clock.advance(500)
    await nextTurn()
    const [first, second, third] = [connection(), connection(), connection()]
    dials[0]?.open(first)
    dials[1]?.open(second)
    await nextTurn()
    assert.deepEqual(outcomes, [])
    dispatch('peer:identify', { connection: second })
    assert.deepEqual(outcomes, [{ ok: true, connection: second, others: [first] }])
    assert.deepEqual([first.aborted, second.aborted], [true, false])
    await nextTurn()
    assert.equal(dials[2]?.signal.aborted, true)
    assert.equal(dials[1]?.signal.aborted, false, 'TCP would end the connection that was handed out')
    dials[2]?.open(third)
    await nextTurn()
    assert.equal(third.aborted, true)
    assert.deepEqual(owner.inventory().resources, [])
  })

  test('an open connection: the next dial waits a second for identify', async () => {
    const { clock, dials } = attempt(2)
    await nextTurn()
    dials[0]?.open(connection())
    await nextTurn()
    clock.advance(999)
    assert.equal(dials.length, 1)
    clock.advance(1)
    await nextTurn()
    assert.equal(dials.length, 2)
  })

  test('a connection closed by the other side before identify: a failure at stage identify', async () => {
    const { dials, outcomes, dispatch } = attempt(1)
    await nextTurn()
    const refusedConnection = connection()
    dials[0]?.open(refusedConnection)
    await nextTurn()
    dispatch('connection:close', refusedConnection)
    const [outcome] = outcomes
    assert.ok(outcome?.ok === false)
    assert.deepEqual(
      outcome.failures.map(({ stage, type }) => [stage, type]),
      [['identify', 'ConnectionClosed']],
    )
  })

  test('at the limit the attempt fails, and drops a connection that opens later', async () => {
    const { clock, dials, outcomes } = attempt(1, 3_000)
    await nextTurn()
    clock.advance(3_000)
    const [outcome] = outcomes
    assert.ok(outcome?.ok === false)
    assert.deepEqual(
      outcome.failures.map(({ stage, type, address }) => [stage, type, address]),
      [['dial', 'TimeoutError', '/ip4/10.0.0.1/udp/1/quic-v1']],
    )
    const late = connection()
    dials[0]?.open(late)
    await nextTurn()
    assert.equal(late.aborted, true)
    assert.equal(outcomes.length, 1)
  })

  test('a peer that never identifies: its connection is dropped at the limit', async () => {
    const { clock, dials, outcomes } = attempt(1, 3_000)
    await nextTurn()
    const mute = connection()
    dials[0]?.open(mute)
    await nextTurn()
    clock.advance(3_000)
    assert.equal(outcomes[0]?.ok === false && outcomes[0].failures[0]?.stage, 'identify')
    assert.equal(mute.aborted, true)
  })

  test('a closed owner: no outcome, no timers, aborted dials', async () => {
    const { clock, dials, outcomes, owner } = attempt(2)
    await nextTurn()
    await owner.close()
    clock.advance(20_000)
    assert.deepEqual(outcomes, [])
    assert.equal(dials[0]?.signal.aborted, true)
    assert.equal(clock.pending, 0)
  })
})

describe('addresses dialled before the winner', () => {
  /** The second address wins while the first is silent. */
  async function winningAttempt() {
    const scene = attempt(3)
    await nextTurn()
    scene.clock.advance(250)
    await nextTurn()
    const connected = connection()
    scene.dials[1]?.open(connected)
    await nextTurn()
    scene.dispatch('peer:identify', { connection: connected })
    await nextTurn()
    assert.equal(scene.outcomes[0]?.ok, true)
    return scene
  }
  const texts = ({ worked, failures }: TriedPaths) => ({
    worked: worked.map(String),
    failed: failures.map(({ address, type }) => [address, type]),
  })
  const [first, second] = ['/ip4/10.0.0.1/udp/1/quic-v1', '/ip4/10.0.0.2/udp/1/quic-v1']

  test('a dial that fails later: the paths are reported then', async () => {
    const { dials, triedPaths, owner } = await winningAttempt()
    assert.deepEqual([triedPaths, dials[0]?.signal.aborted], [[], false])
    dials[0]?.fail(Object.assign(new Error('timed out'), { code: 'Unknown' }))
    await nextTurn()
    assert.deepEqual(triedPaths.map(texts), [{ worked: [second], failed: [[first, 'TimeoutError']] }])
    await nextTurn()
    assert.deepEqual(owner.inventory().resources, [])
  })

  test('a dial that never ends: aborted at the limit, and reported as a timeout', async () => {
    const { clock, dials, triedPaths } = await winningAttempt()
    clock.advance(10_000)
    await nextTurn()
    assert.deepEqual(triedPaths.map(texts), [{ worked: [second], failed: [[first, 'TimeoutError']] }])
    assert.equal(dials[0]?.signal.aborted, true)
  })

  test('a dial that succeeds later: reported as working, its connection aborted as a duplicate', async () => {
    const { dials, triedPaths, duplicates } = await winningAttempt()
    const late = connection()
    dials[0]?.open(late)
    await nextTurn()
    assert.deepEqual(triedPaths.map(texts), [{ worked: [second, first], failed: [] }])
    assert.deepEqual([duplicates, late.aborted], [[late], true])
  })

  test('a stopped node: no report', async () => {
    const { owner, dials, triedPaths } = await winningAttempt()
    await owner.close()
    dials[0]?.fail(new Error('aborted'))
    await nextTurn()
    assert.deepEqual([triedPaths, dials[0]?.signal.aborted], [[], true])
  })
})

describe('an attempt that shares its connections with the application', () => {
  test('a success aborts the slower dials too', async () => {
    const { clock, dials, outcomes, dispatch, triedPaths } = attempt(3, 10_000, { abortsSlower: true })
    await nextTurn()
    clock.advance(500)
    await nextTurn()
    const connected = connection()
    dials[1]?.open(connected)
    await nextTurn()
    dispatch('peer:identify', { connection: connected })
    assert.equal(outcomes[0]?.ok, true)
    assert.deepEqual(
      dials.map(({ signal }) => signal.aborted),
      [true, false, true],
    )
    assert.deepEqual(
      triedPaths.map(({ worked, failures }) => [worked.length, failures.length]),
      [[1, 0]],
    )
  })

  test('every unneeded connection is handed over: slower, late and unidentified ones', async () => {
    const dropped: Connection[] = []
    const onUnneeded = (one: Connection) => dropped.push(one)
    const { dials, clock, dispatch } = attempt(3, 10_000, { onUnneeded })
    await nextTurn()
    clock.advance(500)
    await nextTurn()
    const [first, second, third] = [connection(), connection(), connection()]
    dials[0]?.open(first)
    dials[1]?.open(second)
    await nextTurn()
    dispatch('peer:identify', { connection: second })
    dials[2]?.open(third)
    await nextTurn()
    const silent = attempt(1, 3_000, { onUnneeded })
    await nextTurn()
    const unidentified = connection()
    silent.dials[0]?.open(unidentified)
    await nextTurn()
    silent.clock.advance(3_000)
    assert.deepEqual(dropped, [first, third, unidentified])
    assert.ok(!dropped.some((one) => one.status === 'aborted'))
  })
})

describe('an attempt while other code dials the same peer', () => {
  test('the attempt yields before it has a connection', async () => {
    let isReached = false
    const { clock, dials, outcomes } = attempt(3, 10_000, { shouldYield: () => isReached })
    await nextTurn()
    clock.advance(250)
    await nextTurn()
    assert.equal(dials.length, 2)
    isReached = true
    dials[0]?.progress()
    assert.deepEqual(outcomes, [{ ok: false, failures: [], hasYielded: true }])
    await nextTurn()
    assert.deepEqual(
      dials.map(({ signal }) => signal.aborted),
      [true, true],
    )
    clock.advance(10_000)
    await nextTurn()
    assert.deepEqual([dials.length, outcomes.length], [2, 1])
  })

  test('the attempt polls during a long handshake, and yields', async () => {
    let isReached = false
    const { clock, outcomes } = attempt(1, 10_000, { shouldYield: () => isReached })
    await nextTurn()
    clock.advance(5_000)
    isReached = true
    clock.advance(250)
    assert.deepEqual(outcomes, [{ ok: false, failures: [], hasYielded: true }])
  })

  test('the attempt does not yield once it has a connection', async () => {
    let isReached = false
    const { clock, dials, outcomes, dispatch } = attempt(2, 10_000, { shouldYield: () => isReached })
    await nextTurn()
    const first = connection()
    dials[0]?.open(first)
    await nextTurn()
    isReached = true
    dials[0]?.progress()
    clock.advance(1_000)
    await nextTurn()
    assert.deepEqual(outcomes, [])
    dispatch('peer:identify', { connection: first })
    assert.deepEqual(outcomes, [{ ok: true, connection: first, others: [] }])
  })
})
