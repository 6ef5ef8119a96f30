import type { AdminSource } from '../admin/source.ts'
import type { Tracemesh } from '../kit/index.ts'
import { version } from '../kit/version.ts'
import type { NodeConfig } from './config.ts'

/** What the HTTP API shows of a running node. */
export function adminSource({ name, mesh: meshId, role }: NodeConfig, mesh: Tracemesh): AdminSource {
  return {
    health: () => ({ status: 'alive', version, peer: mesh.peer, name, mesh: meshId, role }),
    ready: () => {
      const peers = mesh.peers
      if (peers > 0) return { ready: true, why: `connected to ${peers} ${peers === 1 ? 'peer' : 'peers'}` }
      if (role === 'seed') return { ready: true, why: 'a seed waits for others' }
      return { ready: false, why: 'connected to nobody' }
    },
    inventory: () => ({ ...mesh.inventory(), frames: mesh.frames() }),
    topology: () => mesh.topology(),
    seeds: () => mesh.seeds(),
    messages: () => mesh.messages(),
    publish: (topic, text, options) => mesh.publish(topic, new TextEncoder().encode(text), options),
  }
}
