import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMeshError } from '../core/errors.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { readSoakFlags, soakMs } from './flags.ts'

leakCheck()

test('no flags: half an hour of churn at a lab, with rests in which tables expire', () => {
  const options = readSoakFlags({})
  assert.deepEqual([options.forMs, options.rate, options.nodes, options.against], [1_800_000, 2, 4, undefined])
  assert.deepEqual([options.warmUpMs, options.settleMs, soakMs(options)], [120_000, 200_000, 2_320_000])
})

test('a short soak: shorter rests, but never less than a census and its export take', () => {
  const { warmUpMs, settleMs } = readSoakFlags({ for: '30s' })
  assert.deepEqual([warmUpMs, settleMs], [30_000, 50_000])
  assert.equal(readSoakFlags({ for: '5m' }).settleMs, 100_000)
  assert.equal(readSoakFlags({ for: '5m', settle: '4m', 'warm-up': '10s' }).settleMs, 240_000)
})

test('rates: per second, minute or hour', () => {
  const rate = (churn: string) => readSoakFlags({ churn }).rate
  assert.deepEqual([rate('2/s'), rate('30/min'), rate('900/h'), rate('0.5/s')], [2, 0.5, 0.25, 0.5])
})

test('a running mesh: its seeds as a list', () => {
  const seed = '/ip4/127.0.0.1/udp/4001/quic-v1,/ip4/127.0.0.1/tcp/4001'
  const { seeds, against } = readSoakFlags({ against: 'http://127.0.0.1:16686/', seed })
  assert.deepEqual([against, seeds?.length], ['http://127.0.0.1:16686', 2])
})

test('an invalid flag: an error with flag, value and allowed values', () => {
  const wrong: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ for: '30' }, /--for is "30"; expected a duration/],
    [{ for: '0s' }, /--for/],
    [{ churn: '2' }, /--churn is "2"; expected a rate such as 2\/s/],
    [{ churn: '0/s' }, /--churn/],
    [{ churn: '201/s' }, /at most 200\/s/],
    [{ churn: '2/day' }, /--churn/],
    [{ nodes: '2' }, /--nodes/],
    [{ within: '1.5' }, /--within/],
    [{ against: 'nowhere' }, /--against is "nowhere"; expected an http/],
    [{ against: 'http://127.0.0.1:1', seed: 'here' }, /--seed is "here"; expected multiaddrs/],
    [{ mesh: 'mesh-b' }, /--mesh is "mesh-b"; expected to be set together with --against/],
    [{ query: 'http://127.0.0.1:1' }, /--query .* expected --otlp and --query together/],
    [{ otlp: 'http://127.0.0.1:1' }, /--otlp .* expected --otlp and --query together/],
  ]
  for (const [flags, message] of wrong) {
    assert.throws(
      () => readSoakFlags(flags),
      (error) => isMeshError(error, 'MESH_CONFIG_INVALID') && message.test(error.message),
      JSON.stringify(flags),
    )
  }
})
