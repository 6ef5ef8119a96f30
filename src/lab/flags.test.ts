import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMeshError } from '../core/errors.ts'
import { parseDuration } from '../node/config-schemas.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { bridgesOf, readLabFlags } from './flags.ts'

leakCheck()

test('no flags: the lab of the README', () => {
  const flags = readLabFlags({})
  assert.deepEqual([flags.nodes, flags.meshes, bridgesOf(flags), flags.page], [8, 2, 2, '127.0.0.1:16700'])
  assert.deepEqual([flags.for, flags.otlp, flags.seed], [undefined, undefined, undefined])
  assert.equal(bridgesOf(readLabFlags({ meshes: '1' })), 0)
  assert.equal(readLabFlags({ 'jaeger-ui': 'http://127.0.0.1:1/ui/' })['jaeger-ui'], 'http://127.0.0.1:1/ui')
})

test('durations: with a unit, from 1 s to 24 days', () => {
  assert.deepEqual(
    ['90s', '10m', '2h', '7d', '1.5h'].map(parseDuration),
    [90_000, 600_000, 7_200_000, 604_800_000, 5_400_000],
  )
  for (const text of ['', '0s', '90', '90 s', '-1s', 'Infinity', '1e3s', '0.5s', '25d', '1w'])
    assert.equal(parseDuration(text), undefined, text)
})

test('an invalid flag: an error with flag, value and allowed values', () => {
  const wrong: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ nodes: '0' }, /--nodes is "0"; expected a whole number of nodes from 3 to 64/],
    [{ nodes: 'Infinity' }, /--nodes is "Infinity"/],
    [{ nodes: '40', meshes: '2' }, /--nodes is "40"; expected at most 64 nodes in all, not 82/],
    [{ meshes: '1', bridges: '1' }, /--bridges is "1"; expected 0, or --meshes to be at least 2/],
    [{ for: '0s' }, /--for is "0s"; expected a duration such as 90s/],
    [{ page: '0.0.0.0:80' }, /--page is "0.0.0.0:80"; expected host:port with a loopback host/],
    [{ otlp: 'localhost:4317' }, /--otlp is "localhost:4317"; expected an http/],
    [{ query: 'http://127.0.0.1:16686' }, /--query is .*; expected to be set together with --otlp/],
    [{ seed: '-1' }, /--seed is "-1"/],
  ]
  for (const [raw, message] of wrong) {
    assert.throws(
      () => readLabFlags(raw),
      (error) => isMeshError(error, 'MESH_CONFIG_INVALID') && message.test(error.message),
      JSON.stringify(raw),
    )
  }
})
