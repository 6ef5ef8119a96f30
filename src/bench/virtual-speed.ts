import { SimMesh } from '../testing/sim/sim-mesh.ts'
import type { MicroBench } from './micro.ts'
import { measured } from './statistics.ts'

interface Size {
  readonly nodes: number
  /** Virtual seconds of one measurement. */
  readonly seconds: number
}

const sizes: readonly Size[] = [
  { nodes: 18, seconds: 600 },
  { nodes: 100, seconds: 60 },
]
const rounds = 5
/** Virtual seconds until all are linked and gossip has become rare. */
const settleSeconds = 300

/** How fast virtual time passes: it bounds what a simulation test can cover. */
export const virtualSpeed: MicroBench = {
  name: 'virtual',
  about: `virtual seconds per CPU second of a simulated mesh of ${sizes.map(({ nodes }) => nodes).join(' and ')} idle nodes`,
  seconds: 60,
  run: async ({ progress }) => {
    const rows = []
    for (const { nodes, seconds } of sizes) {
      const mesh = await linkedMesh(nodes)
      const speeds: number[] = []
      const published = mesh.world.gossip.hops
      for (let round = 0; round < rounds; round++) speeds.push(speedOf(mesh, seconds))
      const hops = (mesh.world.gossip.hops - published) / (rounds * seconds)
      mesh.close()
      progress(`${nodes} nodes measured; ${hops.toFixed(0)} hops of gossip per virtual second`)
      rows.push({ what: `${nodes} nodes`, unit: 'virtual s per CPU s', ...measured(speeds) })
    }
    return { rows, ratios: {} }
  },
}

async function linkedMesh(count: number): Promise<SimMesh> {
  const names = Array.from({ length: count }, (_, index) => `node-${index}`)
  const mesh = new SimMesh({ seed: 1, names })
  for (const name of names) await mesh.start(name, { seeds: [mesh.addressOf('node-0')] })
  mesh.run(settleSeconds * 1_000)
  return mesh
}

function speedOf(mesh: SimMesh, seconds: number): number {
  const before = process.cpuUsage()
  mesh.run(seconds * 1_000)
  const { user, system } = process.cpuUsage(before)
  return seconds / ((user + system) / 1e6)
}
