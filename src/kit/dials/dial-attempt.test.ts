import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { Owner } from '../../core/owner.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { VirtualClock } from '../../testing/sim/virtual-clock.ts'
import type { NetworkComponents } from '../components.ts'
import { type AttemptEvents, DialAttempt, type DialOutcome, type TriedPaths } from './dial-attempt.ts'

leakCheck()

/** An attempt whose dials the test resolves. Every step ends after a turn, in which the attempt reacts. */
async function attempt(
  count: number,
  { limitMs = 10_000, ...hooks }: Partial<AttemptEvents> & { limitMs?: number } = {},
) {
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
  const triedPaths: TriedPaths[] = []
  const duplicates: Connection[] = []
  new DialAttempt(components, owner.child('attempt'), addresses, {
    onDone: (outcome) => outcomes.push(outcome),
    onPathsTried: (paths) => triedPaths.push(paths),
    onDuplicate: (connection) => duplicates.push(connection),
    ...hooks,
  }).start(limitMs)
  const dispatch = (type: string, detail: unknown) => events.dispatchEvent(Object.assign(new Event(type), { detail }))
  await nextTurn()
  return {
    ...{ clock, owner, dials, outcomes, triedPaths, duplicates },
    advance: async (ms: number) => {
      clock.advance(ms)
      await nextTurn()
    },
    open: async (index: number) => {
      const opened = connection()
      dials[index]?.open(opened)
      await nextTurn()
      return opened
    },
    fail: async (index: number, error: Error) => {
      dials[index]?.fail(error)
      await nextTurn()
    },
    identify: async (one: Connection) => {
      dispatch('peer:identify', { connection: one })
      await nextTurn()
    },
    close: (one: Connection) => dispatch('connection:close', one),
    /** Stage, type and address of the failures of the one outcome. */
    failures: () => {
      assert.equal(outcomes.length, 1)
      const [outcome] = outcomes
      return outcome?.ok === false && outcome.failures.map(({ stage, type, address }) => [stage, type, address])
    },
    aborts: () => dials.map(({ signal }) => signal.aborted),
  }
}

function connection(): Connection & { readonly aborted: boolean } {
  const fake = {
    status: 'open',
    aborted: false,
    abort: () => Object.assign(fake, { aborted: true, status: 'aborted' }),
  }
  return fake as unknown as Connection & { readonly aborted: boolean }
}

const [first, second] = ['/ip4/10.0.0.1/udp/1/quic-v1', '/ip4/10.0.0.2/udp/1/quic-v1']

describe('one attempt over several addresses', () => {
  test('dials start 250 ms apart, and the next at once when one fails', async () => {
    const { advance, fail, dials } = await attempt(4)
    await advance(250)
    await fail(0, new Error('refused'))
    await advance(250)
    const times = dials.map(({ at }) => at)
    assert.deepEqual(times, [0, 250, 250, 500])
  })

  test('an identified connection ends the attempt: it drops other connections and aborts later dials', async () => {
    const { advance, open, identify, outcomes, aborts, owner } = await attempt(3)
    await advance(500)
    const [one, winner] = [await open(0), await open(1)]
    assert.deepEqual(outcomes, [])
    await identify(winner)
    assert.deepEqual(outcomes, [{ ok: true, connection: winner, others: [one] }])
    assert.deepEqual([one.aborted, winner.aborted], [true, false])
    assert.deepEqual(aborts(), [false, false, true], 'TCP would end the connection that was handed out')
    assert.equal((await open(2)).aborted, true)
    assert.deepEqual(owner.inventory().resources, [])
  })

  test('an open connection: the next dial waits a second for identify', async () => {
    const { advance, open, dials } = await attempt(2)
    await open(0)
    await advance(999)
    assert.equal(dials.length, 1)
    await advance(1)
    assert.equal(dials.length, 2)
  })

  test('a connection closed by the other side before identify: a failure at stage identify', async () => {
    const { open, close, failures } = await attempt(1)
    close(await open(0))
    assert.deepEqual(failures(), [['identify', 'ConnectionClosed', first]])
  })

  test('at the limit the attempt fails, and drops a connection that opens later', async () => {
    const { advance, open, failures } = await attempt(1, { limitMs: 3_000 })
    await advance(3_000)
    assert.deepEqual(failures(), [['dial', 'TimeoutError', first]])
    assert.equal((await open(0)).aborted, true)
    assert.deepEqual(failures(), [['dial', 'TimeoutError', first]])
  })

  test('a peer that never identifies: its connection is dropped at the limit', async () => {
    const { advance, open, failures } = await attempt(1, { limitMs: 3_000 })
    const mute = await open(0)
    await advance(3_000)
    assert.deepEqual([failures(), mute.aborted], [[['identify', 'TimeoutError', first]], true])
  })

  test('a closed owner: no outcome, no timers, aborted dials', async () => {
    const { clock, advance, aborts, outcomes, owner } = await attempt(2)
    await owner.close()
    await advance(20_000)
    assert.deepEqual([outcomes, aborts(), clock.pending], [[], [true], 0])
  })
})

describe('addresses dialled before the winner', () => {
  /** The second address wins while the first is silent. */
  async function winningAttempt() {
    const scene = await attempt(3)
    await scene.advance(250)
    await scene.identify(await scene.open(1))
    assert.equal(scene.outcomes[0]?.ok, true)
    const paths = () =>
      scene.triedPaths.map(({ worked, failures }) => ({
        worked: worked.map(String),
        failed: failures.map(({ address, type }) => [address, type]),
      }))
    return { ...scene, paths }
  }

  test('a dial that fails later: the paths are reported then', async () => {
    const { fail, aborts, paths, owner } = await winningAttempt()
    assert.deepEqual([paths(), aborts()[0]], [[], false])
    await fail(0, Object.assign(new Error('timed out'), { code: 'Unknown' }))
    assert.deepEqual(paths(), [{ worked: [second], failed: [[first, 'TimeoutError']] }])
    await nextTurn()
    assert.deepEqual(owner.inventory().resources, [])
  })

  test('a dial that never ends: aborted at the limit, and reported as a timeout', async () => {
    const { advance, aborts, paths } = await winningAttempt()
    await advance(10_000)
    assert.deepEqual([paths(), aborts()[0]], [[{ worked: [second], failed: [[first, 'TimeoutError']] }], true])
  })

  test('a dial that succeeds later: reported as working, its connection aborted as a duplicate', async () => {
    const { open, paths, duplicates } = await winningAttempt()
    const late = await open(0)
    assert.deepEqual(paths(), [{ worked: [second, first], failed: [] }])
    assert.deepEqual([duplicates, late.aborted], [[late], true])
  })

  test('a stopped node: no report', async () => {
    const { owner, fail, aborts, paths } = await winningAttempt()
    await owner.close()
    await fail(0, new Error('aborted'))
    assert.deepEqual([paths(), aborts()[0]], [[], true])
  })
})

describe('an attempt that shares its connections with the application', () => {
  test('a success aborts the slower dials too', async () => {
    const { advance, open, identify, outcomes, aborts, triedPaths } = await attempt(3, { abortsSlower: true })
    await advance(500)
    await identify(await open(1))
    assert.equal(outcomes[0]?.ok, true)
    assert.deepEqual(aborts(), [true, false, true])
    const counts = triedPaths.map(({ worked, failures }) => [worked.length, failures.length])
    assert.deepEqual(counts, [[1, 0]])
  })

  test('every unneeded connection is handed over: slower, late and unidentified ones', async () => {
    const unneeded: Connection[] = []
    const onUnneeded = (one: Connection) => unneeded.push(one)
    const { advance, open, identify } = await attempt(3, { onUnneeded })
    await advance(500)
    const [slower, winner] = [await open(0), await open(1)]
    await identify(winner)
    const late = await open(2)
    const silent = await attempt(1, { limitMs: 3_000, onUnneeded })
    const unidentified = await silent.open(0)
    await silent.advance(3_000)
    assert.deepEqual(unneeded, [slower, late, unidentified])
    assert.ok(unneeded.every(({ status }) => status === 'open'))
  })
})

describe('an attempt while other code dials the same peer', () => {
  const yielded = { ok: false, failures: [], hasYielded: true }

  test('the attempt yields before it has a connection', async () => {
    let isReached = false
    const { advance, dials, outcomes, aborts } = await attempt(3, { shouldYield: () => isReached })
    await advance(250)
    assert.equal(dials.length, 2)
    isReached = true
    dials[0]?.progress()
    assert.deepEqual(outcomes, [yielded])
    await advance(10_000)
    assert.deepEqual([aborts(), outcomes.length], [[true, true], 1])
  })

  test('the attempt polls during a long handshake, and yields', async () => {
    let isReached = false
    const { clock, outcomes } = await attempt(1, { shouldYield: () => isReached })
    clock.advance(5_000)
    isReached = true
    clock.advance(250)
    assert.deepEqual(outcomes, [yielded])
  })

  test('the attempt does not yield once it has a connection', async () => {
    let isReached = false
    const { advance, open, identify, dials, outcomes } = await attempt(2, { shouldYield: () => isReached })
    const winner = await open(0)
    isReached = true
    dials[0]?.progress()
    await advance(1_000)
    assert.deepEqual(outcomes, [])
    await identify(winner)
    assert.deepEqual(outcomes, [{ ok: true, connection: winner, others: [] }])
  })
})
