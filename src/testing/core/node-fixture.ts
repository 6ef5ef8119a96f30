import { ConnectionLedger } from '../../core/connection-ledger.ts'
import type { ConnectionInfo, NetworkEvent } from '../../core/events.ts'
import type { Hello } from '../../core/frames.ts'
import type { LedgerOptions } from '../../core/ledger-events.ts'
import { MeshNode, type MeshNodeOptions } from '../../core/mesh-node.ts'
import { Owner } from '../../core/owner.ts'
import { seededRandom } from '../random.ts'
import { VirtualClock } from '../sim/virtual-clock.ts'

/** Parts of a node and of its peers; a test states only what it is about. */

export const trace = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }

export function helloOf(changes: Partial<Hello> = {}): Hello {
  const identity = { meshes: ['mesh-a'], name: 'peer', role: 'compute', incarnation: 1, build: 'test' } as const
  return { ...identity, counter: 1, trace, ...changes }
}

/** An inbound connection of the peer `p`. */
export function infoOf(changes: Partial<ConnectionInfo> = {}): ConnectionInfo {
  const [peer, address] = ['p', '/ip4/10.0.0.1/tcp/4001']
  return { id: 'c1', peer, direction: 'inbound', address, transport: 'tcp', gossip: 'none', ...changes }
}

export function makeLedger(changes: Partial<LedgerOptions> = {}): ConnectionLedger {
  const options = { self: 'self', hello: helloOf({ name: 'self' }), random: seededRandom(1) }
  return new ConnectionLedger(new Owner('node-a', new VirtualClock()), { ...options, ...changes })
}

/** A node that has not started yet, in the mesh of `digestOf`. */
export function makeNode(changes: Partial<MeshNodeOptions> = {}): MeshNode {
  const identity = { self: 'self', name: 'self', role: 'compute', meshes: ['mesh-a'], incarnation: 1 } as const
  const periods = { stalenessMs: 30_000, sweepMs: 5_000, digestMs: 2_000, gossipDigestMs: 10_000 }
  const options = { build: 'test', seeds: [], random: seededRandom(1), neighbours: 8, connectionsHigh: 300 }
  const owner = new Owner('node-a', new VirtualClock())
  return new MeshNode(owner, { ...identity, ...periods, ...options, ...changes })
}

interface LinkEnd<Effect> {
  handle(event: Extract<NetworkEvent, { type: 'stream.open' | 'frame' }>, now: number): Effect[]
}

/** Opens the stream of a connection that a node or ledger has observed, and delivers the peer's hello. */
export function joinLink<Effect>(end: LinkEnd<Effect>, connection: string, now = 0, hello = helloOf()): Effect[] {
  const effects = end.handle({ type: 'stream.open', connection }, now)
  return [...effects, ...end.handle({ type: 'frame', connection, frame: { type: 'hello', hello }, wall: 0 }, now)]
}
