import { availableParallelism } from 'node:os'
import type { Bench, BenchContext, BenchOptions, BenchReport } from './bench.ts'
import { compare } from './compare.ts'
import { control, reference } from './side.ts'
import { machineUse } from './usage.ts'

/** The same beside itself may differ by this much before a run is void. */
const maxNoise = 0.05
/** A run that takes this much longer than it should is given up, and a minute more for a machine that is busy. */
const patience = { factor: 2, ms: 60_000 }

/** Runs a bench and sums it up. Rejects when it could not be run, or took far longer than it should. */
export async function runBench(bench: Bench, options: BenchOptions, context: BenchContext): Promise<BenchReport> {
  const at = new Date().toISOString()
  const startMs = performance.now()
  // Whole, as timers want it: a bench tells fractions of a second.
  const limitMs = Math.ceil(bench.seconds(options) * 1_000 * patience.factor) + patience.ms
  const timeout = AbortSignal.timeout(limitMs)
  const signal = AbortSignal.any([context.signal, timeout])
  const machine = await machineUse()
  const { rounds, settings, notes } = await bench.run(options, { ...context, signal }).catch((error: unknown) => {
    if (!timeout.aborted) throw error
    throw new Error(`given up after ${Math.round(limitMs / 1_000)} s, far longer than it should take`, { cause: error })
  })
  const seconds = (performance.now() - startMs) / 1_000
  const stealMsPerS = ((await machineUse()).stealMs - machine.stealMs) / seconds
  const comparison = compare(rounds, reference, options.seed)
  const ratio = comparison.ratios[control]?.[bench.decisive]?.median
  const isVoid = ratio === undefined || Math.abs(ratio - 1) > maxNoise
  return {
    bench: bench.name,
    at,
    seconds: Math.round(seconds),
    node: process.version,
    cores: availableParallelism(),
    options,
    settings,
    noise: { metric: bench.decisive, ratio, void: isVoid },
    ...comparison,
    rounds,
    notes: [...notes, `the hypervisor gave ${Math.round(stealMsPerS)} CPU ms/s to others`],
  }
}
