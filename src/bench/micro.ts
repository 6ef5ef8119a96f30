import type { BenchContext } from './bench.ts'
import { coreFrames } from './core-frames.ts'
import type { Spread } from './statistics.ts'
import { virtualSpeed } from './virtual-speed.ts'

/** A bench of this code alone: it compares code with itself, not with stock libp2p. */
export interface MicroBench {
  readonly name: string
  readonly about: string
  /** Seconds that a run takes, about. */
  readonly seconds: number
  run(context: BenchContext): Promise<MicroReport>
}

export interface MicroReport {
  readonly rows: readonly MicroRow[]
  readonly ratios: Readonly<Record<string, number>>
}

/** All rounds of one case. */
interface MicroRow extends Spread {
  readonly what: string
  readonly unit: string
}

export const microBenches: readonly MicroBench[] = [coreFrames, virtualSpeed]

export function readableMicro({ rows, ratios }: MicroReport): string {
  const lines = rows.map(
    ({ what, unit, median, min, max }) =>
      `${what.padEnd(20)} ${shown(median)} ${unit} (${shown(min)} to ${shown(max)})`,
  )
  return [...lines, ...Object.entries(ratios).map(([what, ratio]) => `${what.padEnd(20)} ${shown(ratio)}`), ''].join(
    '\n',
  )
}

function shown(value: number): string {
  return value < 100 ? value.toFixed(2) : value.toFixed(0)
}
