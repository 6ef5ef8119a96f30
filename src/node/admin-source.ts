import type { AdminSource } from '../admin/server.ts'
import type { SeedView } from '../core/seed-dialler.ts'
import type { TracemeshService } from '../kit/service.ts'
import { version } from '../kit/version.ts'
import type { NodeConfig } from './config.ts'

/** What the HTTP API shows of a running node. */
export function adminSource({ name, mesh: meshId, role }: NodeConfig, mesh: TracemeshService): AdminSource {
  return {
    health: () => ({ status: 'alive', version, peer: mesh.peer, name, mesh: meshId, role }),
    ready: () => {
      const peers = mesh.peers
      if (peers > 0) return { ready: true, why: `connected to ${peers} ${peers === 1 ? 'peer' : 'peers'}` }
      if (role === 'seed') return { ready: true, why: 'a seed waits for other nodes' }
      return { ready: false, why: whyUnconnected(mesh.seeds()) }
    },
    inventory: () => ({ ...mesh.inventory(), frames: mesh.frames() }),
    topology: () => mesh.topology(),
    seeds: () => mesh.seeds(),
    messages: () => mesh.messages(),
    publish: (topic, text, options) => mesh.publish(topic, new TextEncoder().encode(text), options),
  }
}

/** Explains by the state of the seeds why the node has no connection. */
export function whyUnconnected(seeds: readonly SeedView[]): string {
  if (seeds.length === 0) return 'no connection: no seed is configured (MESH_SEEDS), so another node has to dial'
  const [first, ...others] = seeds.filter(({ state }) => state === 'self').map(({ address }) => address)
  if (first === undefined) return 'no connection: no seed has answered'
  if (others.length + 1 < seeds.length) return `no connection: ${first} is this node itself, no other seed has answered`
  const which = others.length === 0 ? `the only seed, ${first}, is` : `all seeds, ${first} and others, are`
  return `no connection: ${which} this node itself; set another node in MESH_SEEDS`
}
