import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import type { Bench, BenchContext } from './bench.ts'
import { benches } from './options.ts'
import { runBench } from './run.ts'
import { control, reference } from './side.ts'

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
