import { mean } from 'simple-statistics'
import { seededRandom } from '../testing/random.ts'
import type { Bench, BenchContext, BenchOptions, BenchResult } from './bench.ts'
import { earlierNeighbours, type Graph, regularGraph } from './graph.ts'
import { type Group, spawnGroup } from './group.ts'
import { type Metrics, type Round, turns } from './report.ts'
import { sideCount, startSetup } from './sides.ts'
import { findCpuMismatches } from './usage.ts'
import { idleWindow, type LoadUse, loadWindow } from './windows.ts'

const degree = 8
const linkTimeoutMs = 60_000
const pollMs = 500
/** With more than this a mesh node would add links to the given graph. */
const ownLinks = 1

/** Cost and latency of one delivery. One side at a time publishes; the others are idle. */
export const fanout: Bench = {
  name: 'fanout',
  about: 'CPU, latency and duplicates per delivery, one publisher on a random graph of degree 8',
  defaults: { nodes: 18, pairs: 7, window: 20, settle: 25, rate: 20, bytes: 256, seed: 1, peers: [], bare: false },
  decisive: 'cpuMsPerDelivery',
  seconds: (options) => {
    const { pairs, window, settle, nodes } = options
    return 10 + window + sideCount(options) * (nodes * 0.6 + settle + pairs * (window + 2))
  },
  run,
}

async function run(options: BenchOptions, { progress, signal }: BenchContext): Promise<BenchResult> {
  await using resources = new AsyncDisposableStack()
  const setup = resources.use(await startSetup(options, ownLinks))
  const graph = graphFor(options)
  const groups: Group[] = []
  for (const side of setup.sides) {
    const group = resources.use(await spawnGroup(side, options.nodes))
    await link(group, graph, signal)
    groups.push(group)
    progress(`${side.name}: ${options.nodes} processes, linked`)
  }
  const load = { publisher: 0, rate: options.rate, bytes: options.bytes, signal }
  for (const group of groups) {
    await loadWindow(group, { ...load, seconds: options.settle })
    progress(`${group.side}: warm`)
  }
  const idle = await idleRates(groups, options.window, signal)
  progress(`idle: ${[...idle].map(([side, rate]) => `${side} ${(rate / options.nodes).toFixed(2)} ms/s`).join(', ')}`)
  const rounds: Round[] = []
  let others = 0
  for (let i = 0; i < options.pairs; i++) {
    const round: Record<string, Metrics> = {}
    for (const group of turns(groups, i)) {
      const use = await loadWindow(group, { ...load, seconds: options.window })
      others = Math.max(others, use.others)
      round[group.side] = metricsOf(use, idle.get(group.side) ?? Number.NaN)
      progress(`round ${i + 1} of ${options.pairs}: ${group.side} ${summaryOf(round[group.side])}`)
    }
    rounds.push(Object.fromEntries(groups.map(({ side }) => [side, round[side] ?? {}])))
  }
  for (const group of groups) await assertLinks(group, graph)
  const notes = [...(await findCpuMismatches(groups)), ...notesOf(others), ...setup.notes()]
  return { rounds, settings: setup.settings, notes }
}

function notesOf(others: number): string[] {
  return [
    'CPU of all processes of a side, publisher included; net: minus their idle use',
    'each process dials given addresses; ours seeks no further links (MESH_NEIGHBOURS=1) and otherwise has its defaults',
    `everything else on the machine, idle sides included, used ${Math.round(others)} CPU ms/s at most`,
  ]
}

/** One graph for all sides; with fewer links per node if there are too few nodes. */
function graphFor({ nodes, seed }: BenchOptions): Graph {
  const maxDegree = Math.min(degree, nodes - 1)
  return regularGraph(nodes, (nodes * maxDegree) % 2 === 0 ? maxDegree : maxDegree - 1, seededRandom(seed))
}

async function link(group: Group, graph: Graph, signal: AbortSignal): Promise<void> {
  await group.startAll(earlierNeighbours(graph), signal)
  const linkCount = (i: number) => graph[i]?.length ?? 0
  const wait = { limitMs: linkTimeoutMs, everyMs: pollMs, signal }
  await group.until((count, i) => count.links >= linkCount(i), 'all nodes have the links of the graph', wait)
  await assertLinks(group, graph)
}

/** Throws if the links differ from the graph, which would change the routes of messages. */
async function assertLinks(group: Group, graph: Graph): Promise<void> {
  const counts = await group.counts()
  const mismatches = counts.filter((count, i) => count.links !== graph[i]?.length).length
  if (mismatches === 0) return
  throw new Error(
    `${group.side}: ${mismatches} of ${counts.length} have other links than the graph: the run is invalid`,
  )
}

/** CPU ms/s of all processes of each side while no node publishes. */
async function idleRates(groups: readonly Group[], seconds: number, signal: AbortSignal): Promise<Map<string, number>> {
  const processes = Object.fromEntries(groups.map(({ side, peers }) => [side, peers]))
  const { sides } = await idleWindow(processes, seconds * 1_000, signal)
  return new Map(Object.entries(sides).map(([side, { cpu }]) => [side, cpu.reduce((sum, one) => sum + one, 0)]))
}

/** `idle`: CPU of the side’s processes without messages, in ms/s. */
function metricsOf(use: LoadUse, idle: number): Metrics {
  return {
    cpuMsPerDelivery: use.cpuMs / use.delivered,
    cpuNetMsPerDelivery: (use.cpuMs - idle * use.seconds) / use.delivered,
    p50Ms: use.p50,
    p99Ms: use.p99,
    deliveredPercent: (100 * use.delivered) / use.expected,
    ...(use.copies !== undefined && { duplicatesPerDelivery: (use.copies - use.delivered) / use.delivered }),
    rssMb: mean([...use.rssMb]),
  }
}

function summaryOf({ cpuMsPerDelivery = 0, p50Ms = 0, p99Ms = 0, deliveredPercent = 0 }: Metrics = {}): string {
  return `${cpuMsPerDelivery.toFixed(2)} ms/delivery, p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)} ms, ${deliveredPercent.toFixed(2)} %`
}
