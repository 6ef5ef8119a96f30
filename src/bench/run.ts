import { availableParallelism } from 'node:os'
import type { Bench, BenchContext, BenchOptions, BenchReport } from './bench.ts'
import { compare } from './compare.ts'
import { control, reference } from './side.ts'
import { machineUse } from './usage.ts'

/** Largest deviation of the A/A ratio from 1; beyond it a run is void. */
const maxNoise = 0.05
/** Time limit of a run: this factor of its estimate, plus a minute for a busy machine. */
const patience = { factor: 2, ms: 60_000 }

/** Runs a bench and summarizes it. Rejects if the run fails or exceeds its time limit. */
export async function runBench(bench: Bench, options: BenchOptions, context: BenchContext): Promise<BenchReport> {
  const at = new Date().toISOString()
  const startMs = performance.now()
  // Timers need an integer; the estimate may have fractions of a second.
  const limitMs = Math.ceil(bench.seconds(options) * 1_000 * patience.factor) + patience.ms
  const timeout = AbortSignal.timeout(limitMs)
  const signal = AbortSignal.any([context.signal, timeout])
  const machine = await machineUse()
  const { rounds, settings, notes } = await bench.run(options, { ...context, signal }).catch((error: unknown) => {
    if (!timeout.aborted) throw error
    throw new Error(`timeout after ${Math.round(limitMs / 1_000)} s, far beyond the estimate`, { cause: error })
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
