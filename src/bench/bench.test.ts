import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMeshError } from '../core/errors.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { type Bench, type BenchContext, runBench } from './bench.ts'
import { benches, readOptions } from './options.ts'
import { control, reference } from './sides.ts'
import { minPairs } from './statistics.ts'
import { isMismatch } from './usage.ts'

leakCheck()

const context: BenchContext = { progress: () => {}, signal: new AbortController().signal }
const round = { [reference]: { ms: 2 }, [control]: { ms: 2 } }

/** `bench` without its processes: same time estimate, immediate result. */
function withoutProcesses(bench: Bench): Bench {
  return { ...bench, decisive: 'ms', run: async () => ({ rounds: Array(4).fill(round), settings: {}, notes: [] }) }
}

test('the time limit of a bench comes from its estimate, fractions of a second included', async () => {
  const peers = [{ name: 'go', command: '/bin/go-peer' }]
  const thirds = (bench: Bench): Bench => ({ ...bench, seconds: () => 100 / 3 })
  for (const bench of [...benches, ...benches.map(thirds)]) {
    for (const options of [bench.defaults, { ...bench.defaults, peers }]) {
      const { noise, rounds } = await runBench(withoutProcesses(bench), options, context)
      assert.deepEqual([noise.ratio, noise.void, rounds.length], [1, false, 4], bench.name)
    }
  }
})

const quiet = { out: () => {}, err: () => {} }
const read = (...args: string[]) => readOptions(args, quiet)

test('an option that is not given has the default of its bench', () => {
  for (const bench of benches) assert.deepEqual(read(bench.name).options, bench.defaults)
  assert.equal(read('idle', '--bare').options.bare, true)
  const { bench, options, json } = read('idle', '--nodes', '4', '--json', '--peer', 'go=env A=1 /bin/go-peer')
  assert.deepEqual([bench.name, options.nodes, json], ['idle', 4, true])
  assert.deepEqual(options.peers, [{ name: 'go', command: 'env A=1 /bin/go-peer' }])
})

test('a default run has enough rounds for an interval, and another side raises its estimated time', () => {
  for (const { name, defaults, seconds } of benches) {
    assert.ok(defaults.pairs > minPairs, name)
    assert.ok(seconds(defaults) <= 660, `${name} ${seconds(defaults)}`)
    assert.ok(seconds({ ...defaults, bare: true }) > seconds(defaults), name)
  }
})

test('a usage error names the option and the allowed values', () => {
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [['sprint'], /BENCH is sprint; expected one of idle, fanout, join/],
    [['idle', '--pairs', '0'], /--pairs is 0; expected .* from 1 to 30/],
    [['idle', '--pairs', 'Infinity'], /--pairs is Infinity/],
    [['idle', '--window', '1.5'], /--window is 1.5/],
    [['idle', '--peer', 'go'], /--peer is go; expected name=command/],
    [['idle', '--peer', 'ours=x'], /--peer is ours=x/],
    [['idle', '--peer', 'bare=x'], /--peer is bare=x/],
    [['idle', '--peer', 'a=x', '--peer', 'a=y'], /--peer is a=y/],
  ]
  for (const [args, message] of wrong) {
    assert.throws(
      () => read(...args),
      (error) => isMeshError(error, 'MESH_CONFIG_INVALID') && message.test(error.message),
      args.join(' '),
    )
  }
  assert.throws(() => read('idle', '--speed', '3'), { code: 'commander.unknownOption' })
})

test('CPU times that differ by more than a tenth are a mismatch', () => {
  assert.deepEqual([isMismatch(95, 100), isMismatch(89, 100), isMismatch(111, 100)], [false, true, true])
})
