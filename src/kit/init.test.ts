import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isMeshError } from '../core/errors.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { type TracemeshInit, tracemesh } from './index.ts'
import { type InternalInit, resolveOptions, validateInternalInit } from './init.ts'

leakCheck()

const invalidValues: Readonly<Record<string, readonly unknown[]>> = {
  mesh: ['', 'a b', 'a'.repeat(65), 7],
  bridgeTo: ['mesh-a', 'a/b'],
  name: ['a'.repeat(65), ''],
  role: ['queen', 'bridge'],
  seeds: [
    ['nonsense'],
    ['/ip4/192.0.2.1/udp/port/quic-v1'],
    '/ip4/192.0.2.1/tcp/1',
    Array(33).fill('/ip4/192.0.2.1/tcp/1'),
  ],
  incarnation: [-1, 1.5, Infinity],
  otlp: ['127.0.0.1:4317', 'no'],
  stalenessMs: [0, 999, Infinity, NaN, '30000'],
  sweepMs: [0, -1, Infinity],
  digestMs: [0, 99, 100.5, Infinity],
  gossipDigestMs: [0, 499],
  neighbours: [-1, 65, Infinity],
  connectionsHigh: [0, 1, 10_001],
  messageBytes: [0, 63, 60_001],
  gossipSweep: ['yes', 1, null],
  watchdog: ['yes', 1, null],
  heapSites: ['on', 1, null],
}

const assertRefused = (init: object, key: string) =>
  assert.throws(
    () => tracemesh(init as TracemeshInit),
    (error) => isMeshError(error, 'MESH_CONFIG_INVALID') && error.detail.key === key,
  )

describe('tracemesh() validates the options of an application', () => {
  for (const [key, values] of Object.entries(invalidValues))
    for (const value of values) {
      const expectedKey = key === 'role' && value === 'bridge' ? 'bridgeTo' : key
      test(`${key}: ${String(JSON.stringify(value) ?? value).slice(0, 40)} (${String(value).slice(0, 10)})`, () => {
        assertRefused({ [key]: value }, expectedKey)
      })
    }

  test('the error names the value and the allowed ones', () => {
    assert.throws(() => tracemesh({ digestMs: Infinity }), {
      message: 'digestMs is Infinity; expected a whole number of milliseconds from 100 to 600000',
    })
  })
})

test('an option that only the code of this repository has: tracemesh() refuses it', () => {
  for (const key of ['telemetry', 'clock', 'random', 'settings', 'faults']) assertRefused({ [key]: [] }, key)
})

test('a seed may use any transport of the application, and `neighbours` may be 0', () => {
  const seeds = ['/dns4/seed.example.org/tcp/443/wss', '/memory/seed', '/ip4/192.0.2.1/udp/4001/quic-v1']
  assert.equal(typeof tracemesh({ seeds, neighbours: 0 }), 'function')
})

test('an undefined option has its default', () => {
  const unset = { mesh: undefined, digestMs: undefined, seeds: undefined, clock: undefined } as unknown as InternalInit
  const { mesh, digestMs, seeds, clock } = resolveOptions(validateInternalInit(unset), 'peer')
  assert.deepEqual([mesh, digestMs, seeds, typeof clock?.now], ['mesh-a', 2_000, [], 'function'])
})
