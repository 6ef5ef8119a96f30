import { setTimeout as sleep } from 'node:timers/promises'
import { max, mean, median, min } from 'simple-statistics'
import { startStockNodes } from '../../bench/stock-nodes.ts'
import { idleWindow, type WindowUse } from '../../bench/windows.ts'
import { buildTestPackage } from '../../testing/built-package.ts'
import { type NodeProcess, startCluster, until } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { emitterOf, missingSpans, numberOf, spansNamed } from '../evidence.ts'
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
    const mesh = resources.use(await startIdleMesh(bin))
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
      progress(`window ${i} of ${windows}: ${sides.map((side) => describeUse(use, side)).join(', ')}`)
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
  const all = (of: (sample: WindowSample) => readonly number[]) => samples.flatMap(of)
  const rssOfStock = round(mean(rss(samples, 'stock')))
  const hasAll = (n: number) => n === links
  const undelivered = samples.map(({ spans }) => spans.missing + spans.lost)
  return [
    atMost('CPU per node, median', maxCpuMsPerS, median(cpu(samples, 'package')), 'ms/s'),
    atMost('RSS per node, mean; at most stock’s', rssOfStock, mean(rss(samples, 'package')), 'MiB'),
    each(
      'links of each node after each window',
      `${links}`,
      all((one) => one.links),
      hasAll,
    ),
    each(
      'connections of each stock node after each window',
      `${links}`,
      all((one) => one.stockConnections),
      hasAll,
    ),
    each(
      'spans that arrived from each node in each window',
      'some',
      all(({ spans }) => spans.byNode),
      (n) => n > 0,
    ),
    equals('emitted spans that have not arrived', 0, Math.max(...undelivered)),
  ]
}

function figuresOf(samples: readonly WindowSample[]): Record<string, unknown> {
  const ratio = (key: 'cpu' | 'rss', side: Side) =>
    samples.map(({ use }) => round(mean(use.sides[side]?.[key] ?? []) / mean(use.sides['stock']?.[key] ?? [])))
  const figures = sides.map((side) => [
    side,
    {
      'CPU ms/s per node': spread(cpu(samples, side)),
      'CPU ms/s per node, mean of each window': samples.map(({ use }) => round(mean(use.sides[side]?.cpu ?? []))),
      'RSS MiB': spread(rss(samples, side)),
      'PSS MiB': spread(samples.flatMap(({ use }) => use.sides[side]?.pss ?? [])),
      'CPU to stock, by window': ratio('cpu', side),
      'RSS to stock, by window': ratio('rss', side),
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
    'spans per node and window': spread(samples.flatMap(({ spans }) => spans.byNode)),
  }
}

function cpu(samples: readonly WindowSample[], side: Side): number[] {
  return samples.flatMap(({ use }) => use.sides[side]?.cpu ?? [])
}

function rss(samples: readonly WindowSample[], side: Side): number[] {
  return samples.flatMap(({ use }) => use.sides[side]?.rss ?? [])
}

function describeUse({ sides: used }: WindowUse, side: Side): string {
  return `${side} ${mean(used[side]?.cpu ?? []).toFixed(1)} ms/s ${mean(used[side]?.rss ?? []).toFixed(0)} MiB`
}

function spread(numbers: number[]) {
  const figures = { median: median(numbers), mean: mean(numbers), min: min(numbers), max: max(numbers) }
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, round(value)]))
}

type IdleMesh = Awaited<ReturnType<typeof startIdleMesh>>

interface SpanCounts {
  /** Spans of each node that have reached the receiver since the last call, in the order of the nodes. */
  readonly byNode: readonly number[]
  /** Since the start: gaps in the numbers of arrived spans, and `mesh.telemetry.lost` spans. */
  readonly missing: number
  readonly lost: number
}

/** Starts the published package as a user does, with the first node as the seed of the others, until all are linked. */
async function startIdleMesh(bin: string) {
  await using resources = new AsyncDisposableStack()
  const cluster = resources.use(await startCluster())
  const { spans } = cluster.receiver
  const nodes: NodeProcess[] = []
  for (let i = 0; i < count; i++) {
    const role = i === 0 ? ({ role: 'seed' } as const) : { seeds: [cluster.address('node-0')] }
    nodes.push(await cluster.node(`node-${i}`, { ...role, entry: bin, args: ['node'] }))
  }
  /** By the last census, since a request would wake the node. NaN before the first census. */
  const linksOf = ({ peer }: NodeProcess) => {
    const audit = spansNamed(spans, 'mesh.audit').findLast((span) => emitterOf(span) === peer)
    return audit === undefined ? Number.NaN : numberOf(audit, 'mesh.audit.links')
  }
  const readLinks = () => nodes.map(linksOf)
  await until(() => readLinks().every((n) => n >= links), linkedMs, `each node has ${links} links`)
  let read = 0
  const countSpans = (): SpanCounts => {
    const fresh = Map.groupBy(spans.slice(read), emitterOf)
    read = spans.length
    const byNode = nodes.map(({ peer }) => fresh.get(peer)?.length ?? 0)
    return { byNode, missing: missingSpans(spans), lost: spansNamed(spans, 'mesh.telemetry.lost').length }
  }
  const kept = resources.move()
  return { nodes, links: readLinks, spans: countSpans, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}
