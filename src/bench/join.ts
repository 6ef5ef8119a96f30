import { setTimeout as sleep } from 'node:timers/promises'
import { mean } from 'simple-statistics'
import type { Bench, BenchContext, BenchOptions, BenchResult } from './bench.ts'
import { startCast } from './cast.ts'
import { type Metrics, type Round, turns } from './compare.ts'
import { spawnGroup } from './group.ts'
import { own, type Side } from './side.ts'

/** Between two looks at who is connected, and who knows whom. A look is work for the processes. */
const lookMs = 50
const knownLookMs = 200
const wantedLinks = 8

/** Nodes that join one seed at the same moment. Every measurement has fresh processes. */
export const join: Bench = {
  name: 'join',
  about: 'time and CPU of nodes that join one seed at the same moment',
  defaults: { nodes: 9, pairs: 4, window: 15, settle: 0, rate: 1, bytes: 256, seed: 1, peers: [] },
  decisive: 'cpuMsPerNode',
  seconds: ({ pairs, window }, sides) => 10 + pairs * sides * (window + 4),
  run,
}

async function run(options: BenchOptions, { progress, signal }: BenchContext): Promise<BenchResult> {
  await using resources = new AsyncDisposableStack()
  const cast = resources.use(await startCast(options, wantedLinks))
  const rounds: Round[] = []
  for (let i = 0; i < options.pairs; i++) {
    const round: Record<string, Metrics> = {}
    for (const side of turns(cast.sides, i)) {
      round[side.name] = await joinOnce(side, options, signal)
      progress(`round ${i + 1} of ${options.pairs}: ${side.name} ${shown(round[side.name])}`)
    }
    rounds.push(Object.fromEntries(cast.sides.map(({ name }) => [name, round[name] ?? {}])))
  }
  const notes = [
    'connected: the seed has a link to every node. Only mesh nodes go on to know and link each other (knowAllMs)',
    `CPU of each process from its start command to ${options.window} s later; what it loads before is not in it, what it loads then is`,
    `ours: tracing on, ${cast.spans()} spans arrived at the receiver`,
  ]
  return { rounds, notes }
}

async function joinOnce(side: Side, { nodes, window }: BenchOptions, signal: AbortSignal): Promise<Metrics> {
  await using group = await spawnGroup(side, nodes)
  const before = await group.cpuMs()
  await group.start(0, [])
  const began = performance.now()
  const limitMs = window * 1_000
  const starts = Promise.allSettled(group.peers.slice(1).map((_, i) => group.start(i + 1, [0])))
  const wait = { limitMs, everyMs: lookMs, signal }
  const all = nodes - 1
  const isConnected = ({ links }: { links: number }, i: number) => links >= (i === 0 ? all : 1)
  const connectedMs = await group.reach(isConnected, wait)
  const knows = ({ members = 0 }: { members?: number | undefined }) => members >= all
  const told = side.name === own ? await group.reach(knows, { ...wait, everyMs: knownLookMs }) : undefined
  await sleep(Math.max(0, began + limitMs - performance.now()), undefined, { signal })
  const [after, usage] = await Promise.all([group.cpuMs(), group.usage()])
  await starts
  return {
    ...(connectedMs !== undefined && { connectedMs }),
    ...(connectedMs !== undefined && told !== undefined && { knowAllMs: connectedMs + told }),
    cpuMsPerNode: (after - before) / nodes,
    rssMb: mean(usage.map(({ rssMb }) => rssMb)),
  }
}

function shown({ connectedMs, knowAllMs, cpuMsPerNode = Number.NaN }: Metrics = {}): string {
  const known = knowAllMs === undefined ? '' : `, all known after ${knowAllMs.toFixed(0)} ms`
  const connected = connectedMs === undefined ? 'never connected' : `connected after ${connectedMs.toFixed(0)} ms`
  return `${connected}${known}, ${cpuMsPerNode.toFixed(0)} ms CPU per node`
}
