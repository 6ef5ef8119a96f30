import { setTimeout as sleep } from 'node:timers/promises'
import { startStockNodes } from '../../bench/stock-nodes.ts'
import { idleWindow, type WindowUse } from '../../bench/windows.ts'
import { buildTestPackage } from '../../testing/built-package.ts'
import { type Cluster, type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { emitterOf, missingSpans, numberOf, spansNamed, sum } from '../evidence.ts'
import { atMost, type Check, each, equals, round } from '../proof.ts'

const count = 9
/** Every node is linked to every other. */
const links = count - 1
/** Compilation, identify and their garbage are not idle. V8 collects it when a process is 110 s old. */
const settleMs = 120_000
const windows = 4
/** Linux counts CPU in steps of 10 ms: 0.25 ms/s of this. */
const windowMs = 40_000
/** Claimed CPU milliseconds per second and node. */
const maxCpuMsPerS = 6

/** The published package, and stock js-libp2p beside it. */
const sides = ['package', 'stock'] as const

type Side = (typeof sides)[number]

interface WindowSample {
  readonly use: WindowUse
  readonly links: readonly number[]
  readonly stockConnections: readonly number[]
  readonly spans: SpanCounts
}

const linkedMs = 90_000

export const proof = endToEnd({
  name: 'idle',
  about:
    'idle with 8 links, 2 s digests and tracing on, past the first minute: CPU at most 6 ms/s per node, RSS at most that of stock js-libp2p and gossipsub beside it',
  quick: false,
  seconds: 390,
  async run({ progress, signal }) {
    await using resources = new AsyncDisposableStack()
    const { bin } = resources.use(await buildTestPackage())
    const stock = resources.use(await startStockNodes(count))
    progress(`${count} stock nodes are connected`)
    const mesh = resources.use(await startIdleMesh('package', { count, links, bin }))
    progress(`${count} mesh nodes have ${links} links each; settling for ${settleMs / 1_000} s`)
    await sleep(settleMs, undefined, { signal })
    const samples: WindowSample[] = []
    mesh.spans()
    for (let i = 1; i <= windows; i++) {
      const use = await idleWindow({ package: mesh.nodes, stock: stock.nodes }, windowMs, signal)
      const spans = mesh.spans()
      const meshLinks = mesh.links()
      const stockConnections = await Promise.all(stock.nodes.map((node) => node.connections()))
      samples.push({ use, spans, links: meshLinks, stockConnections })
      progress(`window ${i} of ${windows}: ${sides.map((side) => `${side} ${describeUse(use, side)}`).join(', ')}`)
    }
    return { figures: { ...figuresOf(samples), ...(await rssAfterFirstRequest(mesh)) }, checks: checksOf(samples) }
  },
})

/** The first request loads the HTTP API. */
async function rssAfterFirstRequest({ nodes }: IdleMesh): Promise<Record<string, unknown>> {
  await Promise.all(nodes.map((node) => node.api('/healthz')))
  const usage = await Promise.all(nodes.map((node) => node.usage()))
  return { 'RSS MiB after the first HTTP request': spread(usage.map(({ rssMb }) => rssMb)) }
}

function checksOf(samples: readonly WindowSample[]): Check[] {
  const rssOfStock = round(mean(rss(samples, 'stock')))
  return [
    atMost('CPU per node, median', maxCpuMsPerS, median(cpu(samples, 'package')), 'ms/s'),
    atMost('RSS per node, mean; at most stock’s', rssOfStock, mean(rss(samples, 'package')), 'MiB'),
    each(
      'links of each node after each window',
      `${links}`,
      samples.flatMap((one) => one.links),
      (n) => n === links,
    ),
    each(
      'connections of each stock node after each window',
      `${links}`,
      samples.flatMap((one) => one.stockConnections),
      (n) => n === links,
    ),
    each('spans that arrived from each node in each window', 'some', spansByNode(samples), (n) => n > 0),
    equals('emitted spans that have not arrived', 0, Math.max(...samples.map(({ spans }) => undelivered(spans)))),
  ]
}

function figuresOf(samples: readonly WindowSample[]): Record<string, unknown> {
  const figures = sides.map((side) => [
    side,
    {
      'CPU ms/s per node': spread(cpu(samples, side)),
      'CPU ms/s per node, mean of each window': samples.map(({ use }) => round(mean(use.sides[side]?.cpu ?? []))),
      'RSS MiB': spread(rss(samples, side)),
      'PSS MiB': spread(samples.flatMap(({ use }) => use.sides[side]?.pss ?? [])),
      'CPU to stock, by window': samples.map(({ use }) => ratio(use.sides[side]?.cpu, use.sides['stock']?.cpu)),
      'RSS to stock, by window': samples.map(({ use }) => ratio(use.sides[side]?.rss, use.sides['stock']?.rss)),
    },
  ])
  return {
    'nodes per side': count,
    'links per node': links,
    'windows of s': samples.map(({ use }) => round(use.seconds)),
    'settled for s': settleMs / 1_000,
    ...Object.fromEntries(figures),
    'CPU ms/s of everything else, by window': samples.map(({ use }) => Math.round(use.others)),
    'load average, by window': samples.map(({ use }) => round(use.load)),
    'spans per node and window': spread(spansByNode(samples)),
  }
}

function cpu(samples: readonly WindowSample[], side: Side): number[] {
  return samples.flatMap(({ use }) => use.sides[side]?.cpu ?? [])
}

function rss(samples: readonly WindowSample[], side: Side): number[] {
  return samples.flatMap(({ use }) => use.sides[side]?.rss ?? [])
}

function spansByNode(samples: readonly WindowSample[]): number[] {
  return samples.flatMap(({ spans }) => spans.byNode)
}

function undelivered({ missing, lost }: SpanCounts): number {
  return missing + lost
}

function describeUse({ sides: used }: WindowUse, side: Side): string {
  return `${mean(used[side]?.cpu ?? []).toFixed(1)} ms/s ${mean(used[side]?.rss ?? []).toFixed(0)} MiB`
}

function spread(numbers: readonly number[]) {
  const figures = { median: median(numbers), mean: mean(numbers), min: Math.min(...numbers), max: Math.max(...numbers) }
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, round(value)]))
}

function ratio(ours: readonly number[] = [], theirs: readonly number[] = []): number {
  return round(mean(ours) / mean(theirs))
}

function mean(numbers: readonly number[]): number {
  return sum(numbers) / numbers.length
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

interface IdleMesh extends AsyncDisposable {
  readonly nodes: readonly NodeProcess[]
  /** Joined links of each node by its last census, since a request would wake it. NaN before the first census. */
  links(): readonly number[]
  /** Spans that have reached the receiver since the last call. */
  spans(): SpanCounts
}

interface SpanCounts {
  /** Spans of each node, in their order. */
  readonly byNode: readonly number[]
  /** Since the start: gaps in the numbers of arrived spans, and `mesh.telemetry.lost` spans. */
  readonly missing: number
  readonly lost: number
}

interface IdleMeshOptions {
  readonly count: number
  /** Links that each node must have before the measurement. */
  readonly links: number
  /** Program to run in place of the clone's `tracemesh`. */
  readonly bin?: string
}

/** Starts `count` mesh nodes as a user does, with the first as the seed of the others. Resolves once all are linked. */
async function startIdleMesh(name: string, { count, links, bin }: IdleMeshOptions): Promise<IdleMesh> {
  const cluster = await startCluster()
  try {
    const nodes: NodeProcess[] = []
    for (let i = 0; i < count; i++) {
      const role = i === 0 ? ({ role: 'seed' } as const) : { seeds: [cluster.address(`${name}-0`)] }
      const program = bin === undefined ? {} : { entry: bin, args: ['node'] }
      nodes.push(await cluster.node(`${name}-${i}`, { ...role, ...program }))
    }
    const readLinks = () => linksOf(cluster, nodes)
    await until(() => readLinks().every((n) => n >= links), linkedMs, `each of ${name} has ${links} links`)
    return { nodes, links: readLinks, spans: spanCounter(cluster, nodes), [Symbol.asyncDispose]: () => cluster.close() }
  } catch (error) {
    await cluster.close()
    throw error
  }
}

function linksOf({ receiver: { spans } }: Cluster, nodes: readonly NodeProcess[]): number[] {
  const last = new Map(
    spansNamed(spans, 'mesh.audit').map((audit) => [emitterOf(audit), numberOf(audit, 'mesh.audit.links')]),
  )
  return nodes.map(({ peer }) => last.get(peer) ?? Number.NaN)
}

function spanCounter({ receiver: { spans } }: Cluster, nodes: readonly NodeProcess[]): () => SpanCounts {
  let read = 0
  return () => {
    const fresh = Map.groupBy(spans.slice(read), emitterOf)
    read = spans.length
    return {
      byNode: nodes.map(({ peer }) => fresh.get(peer)?.length ?? 0),
      missing: missingSpans(spans),
      lost: spansNamed(spans, 'mesh.telemetry.lost').length,
    }
  }
}
