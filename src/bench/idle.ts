import { setTimeout as sleep } from 'node:timers/promises'
import { mean } from 'simple-statistics'
import type { Bench, BenchContext, BenchOptions, BenchResult } from './bench.ts'
import { type Group, spawnGroup } from './group.ts'
import type { Metrics, Round } from './report.ts'
import { dialsForAll, sideCount, startSetup } from './sides.ts'
import { findCpuMismatches } from './usage.ts'
import { idleWindow, type SideUse } from './windows.ts'

const linkTimeoutMs = 60_000
const pollMs = 500

/** Cost of idle nodes in a complete graph. Measures all sides at the same time. */
export const idle: Bench = {
  name: 'idle',
  about: 'CPU and memory of idle nodes in a complete graph',
  // V8 frees memory of the start when a process is 110 s old.
  defaults: { nodes: 9, pairs: 7, window: 30, settle: 120, rate: 1, bytes: 256, seed: 1, peers: [], bare: false },
  decisive: 'cpuMsPerS',
  seconds: (options) => 10 + sideCount(options) * options.nodes * 0.5 + options.settle + options.pairs * options.window,
  run,
}

async function run(options: BenchOptions, { progress, signal }: BenchContext): Promise<BenchResult> {
  await using resources = new AsyncDisposableStack()
  const links = options.nodes - 1
  const setup = resources.use(await startSetup(options, links))
  const groups: Group[] = []
  for (const side of setup.sides) {
    const group = resources.use(await spawnGroup(side, options.nodes))
    await group.startAll(dialsForAll(side.name, options.nodes), signal)
    const wait = { limitMs: linkTimeoutMs, everyMs: pollMs, signal }
    await group.until((count) => count.links >= links, `all nodes have ${links} links`, wait)
    groups.push(group)
    progress(`${side.name}: ${options.nodes} processes with ${links} links each`)
  }
  progress(`settling for ${options.settle} s`)
  await sleep(options.settle * 1_000, undefined, { signal })
  const rounds: Round[] = []
  const others: number[] = []
  for (let i = 1; i <= options.pairs; i++) {
    const processes = Object.fromEntries(groups.map(({ side, peers }) => [side, peers]))
    const use = await idleWindow(processes, options.window * 1_000, signal)
    rounds.push(Object.fromEntries(Object.entries(use.sides).map(([side, used]) => [side, metricsOf(used)])))
    others.push(use.others)
    progress(`window ${i} of ${options.pairs}: ${summaryOf(rounds.at(-1))}`)
  }
  for (const group of groups) {
    const counts = await group.counts()
    const mismatches = counts.filter((count) => count.links < links).length
    if (mismatches > 0)
      throw new Error(`${group.side}: ${mismatches} of ${options.nodes} have lost links: the run is invalid`)
  }
  const notes = [...(await findCpuMismatches(groups)), ...notesOf(others), ...setup.notes()]
  return { rounds, settings: setup.settings, notes }
}

function metricsOf({ cpu, rss, pss }: SideUse): Metrics {
  return { cpuMsPerS: mean([...cpu]), rssMb: mean([...rss]), pssMb: mean([...pss]) }
}

function summaryOf(round: Round = {}): string {
  return Object.entries(round)
    .map(([side, { cpuMsPerS, rssMb }]) => `${side} ${cpuMsPerS?.toFixed(2)} ms/s ${rssMb?.toFixed(0)} MiB`)
    .join(', ')
}

function notesOf(others: readonly number[]): string[] {
  return [
    'all sides in the same windows; each figure is the mean of a side’s processes',
    `everything else on the machine used ${Math.round(Math.max(...others))} CPU ms/s at most`,
  ]
}
