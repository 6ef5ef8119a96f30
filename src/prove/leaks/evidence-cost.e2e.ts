import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { median } from 'simple-statistics'
import { buildTestPackage } from '../../testing/built-package.ts'
import { type Cluster, type NodeProcess, startCluster, type Usage } from '../../testing/cluster/cluster.ts'
import { startReceiver } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { nameOf } from '../evidence.ts'
import { waitForFullMesh } from '../mesh/mesh.ts'
import { atMost, notShown, type ProofContext, round } from '../proof.ts'

/** A clone of an earlier version, with its packages: the other side of the comparison. */
export const baselineVariable = 'TRACEMESH_BASELINE'

const pairs = 3
const nodes = 3
const settleMs = 40_000
const measureMs = 120_000
/** Nodes that join and leave afterwards, every other one without a goodbye; then their members expire. */
const lives = 8
const lifeMs = 4_000
const expiryMs = 45_000

interface Cost {
  readonly cpuMsPerS: number
  readonly rssMb: number
  readonly spansPerMinute: number
  /** Spans that the nodes which stay emit for each that comes and goes. */
  readonly spansPerLife: number
}

/** Idle meshes of two versions at the same time, so that a slow minute of the machine meets both. Both as published. */
export const proof = endToEnd({
  name: 'evidence-cost',
  about: `beside an earlier version (${baselineVariable}), an idle node costs at most 10 % more CPU, 3 MB and 20 % more spans, and no more spans under churn`,
  quick: false,
  seconds: (pairs * (settleMs + measureMs + lives * lifeMs + expiryMs)) / 1_000 + 90,
  async run(context) {
    const baseline = process.env[baselineVariable]
    if (baseline === undefined || !existsSync(join(baseline, 'src/bin.js'))) {
      const why = `${baselineVariable} names no clone of an earlier version`
      return { figures: {}, checks: [notShown('cost beside an earlier version', 'a comparison', why)] }
    }
    await promisify(execFile)('npm', ['run', 'build'], { cwd: baseline, signal: context.signal })
    await using built = await buildTestPackage()
    const costs: { readonly before: Cost; readonly now: Cost }[] = []
    for (let pair = 1; pair <= pairs; pair++) {
      const bins = [join(baseline, 'dist/bin.js'), built.bin]
      const [before, now] = await Promise.all(bins.map((bin) => measure(context, bin)))
      if (before === undefined || now === undefined) throw new Error('a version was not measured')
      context.progress(`pair ${pair} of ${pairs}: ${JSON.stringify({ before, now })}`)
      costs.push({ before, now })
    }
    const ratios = (of: keyof Cost) => costs.map(({ before, now }) => now[of] / before[of])
    const growth = costs.map(({ before, now }) => now.rssMb - before.rssMb)
    return {
      figures: {
        costs,
        'CPU ratios': ratios('cpuMsPerS').map(round),
        'RSS growth, MB': growth.map(round),
        'span ratios': ratios('spansPerMinute').map(round),
        'span ratios under churn': ratios('spansPerLife').map(round),
      },
      checks: [
        atMost('CPU of an idle node, median ratio', 1.1, median(ratios('cpuMsPerS'))),
        atMost('RSS of an idle node, median growth', 3, median(growth), 'MB'),
        atMost('spans of an idle node, median ratio', 1.2, median(ratios('spansPerMinute'))),
        atMost('spans for a node that comes and goes, median ratio', 1, median(ratios('spansPerLife'))),
      ],
    }
  },
})

/** `bin`: the program of a version. */
async function measure(context: ProofContext, bin: string): Promise<Cost> {
  const { signal } = context
  const receiver = await startReceiver()
  try {
    await using cluster = await startCluster({ receiver, hasOtherVersions: true })
    const mesh = await startNodes(cluster, bin)
    await waitForFullMesh(mesh, 30_000)
    await sleep(settleMs, undefined, { signal })
    const [from, spansFrom] = [await usageOf(mesh), receiver.spans.length]
    await sleep(measureMs, undefined, { signal })
    const [to, spansTo] = [await usageOf(mesh), receiver.spans.length]
    const spansPerLife = await churn(cluster, bin, context)
    const cpuMs = to.map(({ cpuMs }, i) => cpuMs - (from[i]?.cpuMs ?? 0)).reduce((a, b) => a + b, 0)
    return {
      cpuMsPerS: round(cpuMs / nodes / (measureMs / 1_000)),
      rssMb: round(to.reduce((sum, { rssMb }) => sum + rssMb, 0) / nodes),
      spansPerMinute: round((spansTo - spansFrom) / nodes / (measureMs / 60_000)),
      spansPerLife: round(spansPerLife),
    }
  } finally {
    await receiver.close()
  }
}

/** Returns the spans of the other nodes for each life. */
async function churn(cluster: Cluster, bin: string, { signal }: ProofContext): Promise<number> {
  const ofStaying = () => cluster.receiver.spans.filter((span) => !nameOf(span).startsWith('life-')).length
  const before = ofStaying()
  for (let life = 0; life < lives; life++) {
    const seeds = [cluster.address('seed')]
    const node = await cluster.node(`life-${life}`, { seeds, entry: bin, args: ['node'] })
    await sleep(lifeMs, undefined, { signal })
    if (life % 2 === 0) await node.stop()
    else node.kill('SIGKILL')
  }
  await sleep(expiryMs, undefined, { signal })
  return (ofStaying() - before) / lives
}

function usageOf(mesh: readonly NodeProcess[]): Promise<Usage[]> {
  return Promise.all(mesh.map((node) => node.usage()))
}

async function startNodes(cluster: Cluster, bin: string): Promise<readonly NodeProcess[]> {
  const program = { entry: bin, args: ['node'] }
  const seed = await cluster.node('seed', { role: 'compute', ...program })
  const others = ['node-1', 'node-2'].map((name) =>
    cluster.node(name, { seeds: [cluster.address('seed')], ...program }),
  )
  return [seed, ...(await Promise.all(others))]
}
