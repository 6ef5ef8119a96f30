import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { runUntilStopped, type SignalHost } from './run-until-stopped.ts'

leakCheck()

test('the first signal stops in order, then the process ends with 0', async () => {
  const { host, signal, exits } = fakeProcess()
  const causes: string[] = []
  const run = runUntilStopped(async () => ({ stop: async (cause) => void causes.push(cause) }), host)
  signal('SIGTERM')
  assert.equal(await run, 0)
  assert.deepEqual([causes, exits], [['SIGTERM'], [0]])
})

test('the same signal by several ways is one signal; a second one ends the process at once', async () => {
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

test('a stop that hangs is ended with 1 after 5 s, counted from the signal', async () => {
  const { host, signal, exits, clock } = fakeProcess()
  const hanging = Promise.withResolvers<void>()
  const run = runUntilStopped(async () => ({ stop: () => hanging.promise }), host)
  clock.advance(60_000)
  signal('SIGINT')
  clock.advance(4_999)
  assert.deepEqual(exits, [])
  clock.advance(1)
  assert.deepEqual(exits, [1])
  hanging.resolve()
  await run
})

test('a stop that fails ends with 1, and says why', async () => {
  const { host, signal, exits, errors } = fakeProcess()
  const run = runUntilStopped(async () => ({ stop: () => Promise.reject(new Error('a step failed')) }), host)
  signal('SIGINT')
  assert.equal(await run, 1)
  assert.deepEqual([exits, errors], [[1], ['it did not stop in order: a step failed']])
})

test('what ends by itself is stopped alike, within its own limit, and says the exit code', async () => {
  const { host, signal, exits, clock, listeners } = fakeProcess()
  const { promise: ended, resolve: end } = Promise.withResolvers<string>()
  const hanging = Promise.withResolvers<number>()
  const stops: unknown[] = []
  const stop = async (...how: unknown[]) => {
    stops.push(how)
    return hanging.promise
  }
  const run = runUntilStopped(async () => ({ stopRequest: ended, stop }), host, 20_000)
  end('time is over')
  await new Promise(setImmediate)
  assert.deepEqual(stops, [['time is over', 20_000]])
  clock.advance(19_999)
  assert.deepEqual(exits, [])
  hanging.resolve(1)
  assert.equal(await run, 1)
  assert.deepEqual([exits, listeners(), clock.pending], [[1], 0, 0])
  signal('SIGINT')
  assert.deepEqual(exits, [1])
})

test('a signal during the start is not lost', async () => {
  const { host, signal, clock } = fakeProcess()
  const starting = Promise.withResolvers<{ stop(cause: string): Promise<void> }>()
  const run = runUntilStopped(() => starting.promise, host)
  signal('SIGINT')
  clock.advance(1_000)
  const stops: unknown[] = []
  starting.resolve({ stop: async (...how) => void stops.push(how) })
  assert.equal(await run, 0)
  assert.deepEqual(stops, [['SIGINT', 4_000]], 'the time that the start took is gone')
})

test('a start that fails is handed on, and nothing is left behind', async () => {
  const { host, listeners, exits, clock } = fakeProcess()
  await assert.rejects(
    runUntilStopped(() => Promise.reject(new Error('no port')), host),
    /no port/,
  )
  assert.deepEqual([listeners(), clock.pending, exits], [0, 0, []])
})

test('after a stop neither a listener nor a timer is left', async () => {
  const { host, signal, listeners, clock } = fakeProcess()
  const run = runUntilStopped(async () => ({ stop: async () => {} }), host)
  assert.equal(listeners(), 4)
  signal('SIGINT')
  await run
  assert.deepEqual([listeners(), clock.pending], [0, 0])
})

test('the end of its parent ends it as a signal does', async () => {
  const { host, signal, exits } = fakeProcess()
  const causes: string[] = []
  const run = runUntilStopped(async () => ({ stop: async (cause) => void causes.push(cause) }), host)
  signal('disconnect')
  await run
  assert.deepEqual([causes, exits], [['SIGHUP'], [0]])
})

test('a parent that was gone before anybody listened ends it too', async () => {
  const { host, exits } = fakeProcess({ orphaned: true })
  const causes: string[] = []
  await runUntilStopped(async () => ({ stop: async (cause) => void causes.push(cause) }), host)
  assert.deepEqual([causes, exits], [['SIGHUP'], [0]])
})

/** A process whose time and signals the test makes. */
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
