import { setTimeout as sleep } from 'node:timers/promises'
import { mean } from 'simple-statistics'
import type { Bench, BenchContext, BenchOptions, BenchResult } from './bench.ts'
import { type Condition, type Group, spawnGroup } from './group.ts'
import { type Metrics, type Round, turns } from './report.ts'
import { ours, type Side, sideCount, startSetup } from './sides.ts'

/**
 * Poll interval for links and members: the resolution of both times. Polling costs the processes CPU, so every side is
 * polled alike, to the end of the window.
 */
const pollMs = 100
const wantedLinks = 8

/** Nodes that join one seed at the same moment. Every measurement starts new processes. */
export const join: Bench = {
  name: 'join',
  about: 'time and CPU of nodes that join one seed at the same moment',
  defaults: { nodes: 9, pairs: 7, window: 15, settle: 0, rate: 1, bytes: 256, seed: 1, peers: [], bare: false },
  decisive: 'cpuMsPerNode',
  seconds: (options) => 10 + options.pairs * sideCount(options) * (options.window + 4),
  run,
}

async function run(options: BenchOptions, { progress, signal }: BenchContext): Promise<BenchResult> {
  await using resources = new AsyncDisposableStack()
  const setup = resources.use(await startSetup(options, wantedLinks))
  const rounds: Round[] = []
  for (let i = 0; i < options.pairs; i++) {
    const round: Record<string, Metrics> = {}
    for (const side of turns(setup.sides, i)) {
      round[side.name] = await joinOnce(side, options, signal)
      progress(`round ${i + 1} of ${options.pairs}: ${side.name} ${summaryOf(round[side.name])}`)
    }
    rounds.push(Object.fromEntries(setup.sides.map(({ name }) => [name, round[name] ?? {}])))
  }
  const notes = [
    'connected: the seed has a link to every node. Only mesh nodes then discover and link each other (knowAllMs)',
    'the connect time of stock is js-libp2p’s default limit of five inbound connections a second from one host, not its speed; a mesh node exempts loopback',
    `CPU of each process from its start command to ${options.window} s later, polls every ${pollMs} ms included; code loaded before the command is not included`,
    ...missingMetricNotes(rounds, options),
    ...setup.notes(),
  ]
  return { rounds, settings: setup.settings, notes }
}

async function joinOnce(side: Side, { nodes, window }: BenchOptions, signal: AbortSignal): Promise<Metrics> {
  await using group = await spawnGroup(side, nodes)
  const before = await group.cpuMs()
  await group.start(0, [])
  const startMs = performance.now()
  const starts = Promise.all(group.peers.slice(1).map((_, i) => group.start(i + 1, [0])))
  // A rejected start ends the run at the `await` below.
  starts.catch(() => {})
  const all = nodes - 1
  const conditions: Conditions = {
    connectedMs: ({ links }, i) => links >= (i === 0 ? all : 1),
    ...(side.name === ours && { knowAllMs: ({ members = 0 }) => members >= all }),
  }
  const reached = await timeConditions(group, conditions, { startMs, endMs: startMs + window * 1_000 }, signal)
  const [after, usage] = await Promise.all([group.cpuMs(), group.usage()])
  await starts
  return { ...reached, cpuMsPerNode: (after - before) / nodes, rssMb: mean(usage.map(({ rssMb }) => rssMb)) }
}

type Conditions = Readonly<Record<string, Condition>>

/** Polls until `endMs`. Milliseconds until each condition first held for all; absent if it never did. */
async function timeConditions(
  group: Group,
  conditions: Conditions,
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
  signal: AbortSignal,
): Promise<Metrics> {
  const reached: Record<string, number> = {}
  for (let next = startMs; next < endMs; next += pollMs) {
    await sleep(Math.max(0, next - performance.now()), undefined, { signal })
    const counts = await group.counts()
    for (const [name, holds] of Object.entries(conditions)) {
      if (counts.every(holds)) reached[name] ??= performance.now() - startMs
    }
  }
  await sleep(Math.max(0, endMs - performance.now()), undefined, { signal })
  return reached
}

/** Notes about metrics that are missing in some rounds, which the summary leaves out. */
function missingMetricNotes(rounds: readonly Round[], { window }: BenchOptions): string[] {
  const missingRounds = (side: string, metric: string) =>
    rounds.filter((round) => round[side]?.[metric] === undefined).length
  const expected = Object.keys(rounds[0] ?? {}).map((side) => [side, 'connectedMs'] as const)
  return [...expected, [ours, 'knowAllMs'] as const].flatMap(([side, metric]) => {
    const missing = missingRounds(side, metric)
    return missing === 0 ? [] : [`${side}: no ${metric} within ${window} s in ${missing} of ${rounds.length} rounds`]
  })
}

function summaryOf({ connectedMs, knowAllMs, cpuMsPerNode = Number.NaN }: Metrics = {}): string {
  const memberText = knowAllMs === undefined ? '' : `, all members known after ${knowAllMs.toFixed(0)} ms`
  const linkText = connectedMs === undefined ? 'never connected' : `connected after ${connectedMs.toFixed(0)} ms`
  return `${linkText}${memberText}, ${cpuMsPerNode.toFixed(0)} ms CPU per node`
}
