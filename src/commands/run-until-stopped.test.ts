import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { runUntilStopped, type SignalHost } from './run-until-stopped.ts'

leakCheck()

test('the first signal: an ordered stop, then exit code 0', async () => {
  const { host, signal, exits } = fakeProcess()
  const causes: string[] = []
  const run = runUntilStopped(async () => ({ stop: async (cause) => void causes.push(cause) }), host)
  signal('SIGTERM')
  assert.equal(await run, 0)
  assert.deepEqual([causes, exits], [['SIGTERM'], [0]])
})

test('forwarded copies of a signal count as one; a second signal exits at once', async () => {
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    const { host, signal, exits, clock } = fakeProcess()
    const hanging = Promise.withResolvers<void>()
    const run = runUntilStopped(async () => ({ stop: () => hanging.promise }), host)
    signal('SIGINT')
    clock.advance(300)
    signal(name)
    assert.deepEqual(exits, [], 'still the same Ctrl-C')
    clock.advance(1)
    signal(name)
    assert.deepEqual(exits, [code])
    hanging.resolve()
    await run
  }
})

test('a stop that hangs: exit code 1, 4 s after the signal', async () => {
  const { host, signal, exits, clock } = fakeProcess()
  const hanging = Promise.withResolvers<void>()
  const run = runUntilStopped(async () => ({ stop: () => hanging.promise }), host)
  clock.advance(60_000)
  signal('SIGINT')
  clock.advance(3_999)
  assert.deepEqual(exits, [])
  clock.advance(1)
  assert.deepEqual(exits, [1])
  hanging.resolve()
  await run
})

test('a stop that fails: exit code 1, with the reason on standard error', async () => {
  const { host, signal, exits, errors } = fakeProcess()
  const run = runUntilStopped(async () => ({ stop: () => Promise.reject(new Error('a step failed')) }), host)
  signal('SIGINT')
  assert.equal(await run, 1)
  assert.deepEqual([exits, errors], [[1], ['stop failed: a step failed']])
})

test('a service that requests its own stop: stopped within its limit, with its exit code', async () => {
  const { host, signal, exits, clock, listeners } = fakeProcess()
  const { promise: ended, resolve: end } = Promise.withResolvers<string>()
  const hanging = Promise.withResolvers<number>()
  const stops: unknown[] = []
  const stop = async (...how: unknown[]) => {
    stops.push(how)
    return hanging.promise
  }
  const run = runUntilStopped(async () => ({ stopRequest: ended, stop }), host, 20_000)
  end('time is up')
  await new Promise(setImmediate)
  assert.deepEqual(stops, [['time is up', 20_000]])
  clock.advance(19_999)
  assert.deepEqual(exits, [])
  hanging.resolve(1)
  assert.equal(await run, 1)
  assert.deepEqual([exits, listeners(), clock.pending], [[1], 0, 0])
  signal('SIGINT')
  assert.deepEqual(exits, [1])
})

test('a signal during the start: the service stops after its start', async () => {
  const { host, signal, clock } = fakeProcess()
  const starting = Promise.withResolvers<{ stop(cause: string): Promise<void> }>()
  const run = runUntilStopped(() => starting.promise, host)
  signal('SIGINT')
  clock.advance(1_000)
  const stops: unknown[] = []
  starting.resolve({ stop: async (...how) => void stops.push(how) })
  assert.equal(await run, 0)
  assert.deepEqual(stops, [['SIGINT', 3_000]], 'without the time of the start')
})

test('a start that fails: the error is rethrown, no listener or timer stays', async () => {
  const { host, listeners, exits, clock } = fakeProcess()
  await assert.rejects(
    runUntilStopped(() => Promise.reject(new Error('no port')), host),
    /no port/,
  )
  assert.deepEqual([listeners(), clock.pending, exits], [0, 0, []])
})

test('after a stop: no listener or timer stays', async () => {
  const { host, signal, listeners, clock } = fakeProcess()
  const run = runUntilStopped(async () => ({ stop: async () => {} }), host)
  assert.equal(listeners(), 4)
  signal('SIGINT')
  await run
  assert.deepEqual([listeners(), clock.pending], [0, 0])
})

test('the parent exits: the service stops as by SIGHUP', async () => {
  const { host, signal, exits } = fakeProcess()
  const causes: string[] = []
  const run = runUntilStopped(async () => ({ stop: async (cause) => void causes.push(cause) }), host)
  signal('disconnect')
  await run
  assert.deepEqual([causes, exits], [['SIGHUP'], [0]])
})

test('the parent exited before the listener was added: the service stops as by SIGHUP', async () => {
  const { host, exits } = fakeProcess({ orphaned: true })
  const causes: string[] = []
  await runUntilStopped(async () => ({ stop: async (cause) => void causes.push(cause) }), host)
  assert.deepEqual([causes, exits], [['SIGHUP'], [0]])
})

/** A process whose clock and signals the test controls. */
function fakeProcess({ orphaned = false } = {}) {
  const clock = new VirtualClock()
  const signals = new EventEmitter()
  const exits: number[] = []
  const errors: string[] = []
  const host: SignalHost = {
    isOrphaned: () => orphaned,
    printError: (text) => void errors.push(text),
    on: (name, listener) => signals.on(name, listener),
    off: (name, listener) => signals.off(name, listener),
    exit: (code) => void exits.push(code),
    now: () => clock.now(),
    after: (ms, run) => clock.after(ms, run),
  }
  return {
    clock,
    host,
    exits,
    errors,
    signal: (name: NodeJS.Signals | 'disconnect') => void signals.emit(name, name),
    listeners: () => signals.eventNames().reduce((sum, name) => sum + signals.listenerCount(name), 0),
  }
}
