import { type Bench, type BenchOptions, type BenchReport, runBench } from '../../bench/bench.ts'
import type { Ratio } from '../../bench/statistics.ts'
import { atMost, type Check, notShown, type ProofContext } from '../proof.ts'

/** `name=command` of a go-libp2p peer with the bench protocol. */
export const peerVariable = 'TRACEMESH_BENCH_PEER'

/** Runs a bench with its defaults, beside the peer that the environment names. */
export async function benchRun(bench: Bench, { seed, progress, signal }: ProofContext): Promise<BenchReport> {
  return await runBench(bench, { ...optionsFor(bench), seed }, { progress, signal })
}

/** About how long `benchRun` takes, the peer that the environment names included. */
export function benchSeconds(bench: Bench): number {
  return Math.round(bench.seconds(optionsFor(bench)))
}

function optionsFor(bench: Bench): BenchOptions {
  return { ...bench.defaults, peers: peersFrom(process.env[peerVariable]) }
}

function peersFrom(text = ''): BenchOptions['peers'] {
  if (text === '') return []
  const [, name, command] = /^([\w-]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || command === undefined) throw new Error(`${peerVariable} is ${text}; expected name=command`)
  return [{ name, command }]
}

/** Holds when the complete interval does; too few rounds have none. A void A/A pair makes the check not shown. */
export function ratioAtMost(what: string, most: number, ratio: Ratio | undefined, { noise }: BenchReport): Check {
  const { holds, ...check } = atMost(`${what}, upper end of 95 %`, most, ratio?.high ?? Number.NaN)
  return { ...check, holds: noise.void ? 'not shown' : holds }
}

/** The check without another peer: not shown. */
export function withoutPeer(what: string, want: string): Check {
  return notShown(what, want, `not run: ${peerVariable} names no peer`)
}

/** The A/A pair: it decides whether the ratios are shown. */
export function noiseCheck({ noise }: BenchReport): Check {
  const got = noise.ratio === undefined ? 'not measured' : noise.ratio.toFixed(3)
  const what = `stock beside itself, ${noise.metric}`
  return { what, want: '0.95 to 1.05', got, holds: noise.void ? 'not shown' : true }
}
