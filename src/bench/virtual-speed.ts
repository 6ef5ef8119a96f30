import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { SimMesh } from '../testing/sim/sim-mesh.ts'
import type { MicroBench, MicroReport } from './micro.ts'
import { measured } from './statistics.ts'

interface Size {
  readonly nodes: number
  /** Virtual seconds of one measurement. */
  readonly seconds: number
  /** By default that of a node. */
  readonly gossipDigestMs?: number
}

/** The last one shows what is left of the CPU without digests over gossip: each of them reaches every node. */
const sizes: readonly [Size, Size, Size] = [
  { nodes: 18, seconds: 600 },
  { nodes: 100, seconds: 60 },
  { nodes: 100, seconds: 60, gossipDigestMs: 600_000 },
]
const rounds = 5
/** Virtual seconds until all are linked and gossip has become rare. */
const settleSeconds = 300

interface Measurement {
  readonly speeds: readonly number[]
  readonly hopsPerSecond: number
}

/** How fast virtual time passes: it bounds what a simulation test can cover. */
export const virtualSpeed: MicroBench = {
  name: 'virtual',
  about: `virtual seconds per CPU second of a simulated mesh of ${sizes[0].nodes} and ${sizes[1].nodes} idle nodes`,
  seconds: 60,
  run: async ({ progress, signal }) => {
    const rows: MicroReport['rows'][number][] = []
    for (const size of sizes) {
      const { speeds, hopsPerSecond } = await measureInProcess(size, signal)
      const what = `${size.nodes} nodes${size.gossipDigestMs === undefined ? '' : ', rare gossip'}`
      progress(`${what} measured; ${hopsPerSecond.toFixed(0)} hops of gossip per virtual second`)
      rows.push({ what, unit: 'virtual s per CPU s', ...measured(speeds) })
    }
    const [, all, rare] = rows.map(({ median }) => median)
    return { rows, ratios: { 'gossip, share of CPU': 1 - (all ?? 0) / (rare ?? 0) } }
  },
}

/** In a process with Node's own young generation, as unit tests have it; the launcher gives nodes, and this process, 1 MiB. */
async function measureInProcess(size: Size, signal: AbortSignal): Promise<Measurement> {
  const args = [import.meta.filename, JSON.stringify(size)]
  return JSON.parse((await promisify(execFile)(process.execPath, args, { signal })).stdout)
}

async function measure({ nodes, seconds, gossipDigestMs }: Size): Promise<Measurement> {
  const names = Array.from({ length: nodes }, (_, index) => `node-${index}`)
  const mesh = new SimMesh({ seed: 1, names, settings: gossipDigestMs === undefined ? {} : { gossipDigestMs } })
  for (const name of names) await mesh.start(name, { seeds: [mesh.addressOf('node-0')] })
  mesh.run(settleSeconds * 1_000)
  const hopsBefore = mesh.world.gossip.hops
  const speeds = Array.from({ length: rounds }, () => speedOf(mesh, seconds))
  const hopsPerSecond = (mesh.world.gossip.hops - hopsBefore) / (rounds * seconds)
  mesh.close()
  return { speeds, hopsPerSecond }
}

function speedOf(mesh: SimMesh, seconds: number): number {
  const before = process.cpuUsage()
  mesh.run(seconds * 1_000)
  const { user, system } = process.cpuUsage(before)
  return seconds / ((user + system) / 1e6)
}

if (import.meta.main) process.stdout.write(JSON.stringify(await measure(JSON.parse(process.argv[2] ?? ''))))
