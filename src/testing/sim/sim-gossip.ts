import type { NetworkEvent } from '../../core/events.ts'
import type { SimNetwork } from './sim-network.ts'
import type { SimWorld } from './sim-world.ts'

/** A message as its publisher sent it, without the receiver's wall clock. */
export type Publication =
  | Omit<Extract<NetworkEvent, { type: 'gossip' }>, 'wall'>
  | Extract<NetworkEvent, { type: 'crossing' }>

interface Message {
  readonly event: Publication
  readonly publisher: SimNetwork
  /** Nodes that have received it: each receives it once. */
  readonly reachedNodes: Set<SimNetwork>
}

/** Messages retained for a replay. */
const maxRecentMessages = 64

/**
 * Gossip without gossipsub's mesh degree, heartbeats and IWANT: a message floods along the open gossip streams, hop by
 * hop, each hop with the latency of its connection.
 */
export class SimGossip {
  readonly #world: SimWorld
  #recentMessages: readonly Message[] = []
  #hops = 0

  constructor(world: SimWorld) {
    this.#world = world
  }

  /** Messages sent from neighbour to neighbour so far. */
  get hops(): number {
    return this.#hops
  }

  publish(from: SimNetwork, event: Publication): void {
    const message: Message = { event, publisher: from, reachedNodes: new Set([from]) }
    this.#recentMessages = [...this.#recentMessages.slice(1 - maxRecentMessages), message]
    this.#flood(message, from)
  }

  /**
   * Fault: delivers all recent messages again, oldest first, like a late relay: gossipsub forgets a message id after two
   * minutes. Returns how many.
   */
  replay(): number {
    const old = this.#recentMessages
    for (const { event, publisher } of old)
      for (const node of this.#world.nodes) {
        if (node !== publisher && node.meshes.includes(event.mesh)) node.process.arrive(() => deliver(event, node))
      }
    return old.length
  }

  #flood(message: Message, node: SimNetwork): void {
    for (const end of node.ends) {
      const { node: neighbour } = end.far
      if (!end.gossips || message.reachedNodes.has(neighbour) || !neighbour.meshes.includes(message.event.mesh))
        continue
      this.#hops++
      end.send((far) => {
        if (far.isListed) this.#receive(message, far.node)
      })
    }
  }

  #receive(message: Message, node: SimNetwork): void {
    if (message.reachedNodes.has(node)) return
    message.reachedNodes.add(node)
    deliver(message.event, node)
    this.#flood(message, node)
  }
}

function deliver(event: Publication, node: SimNetwork): void {
  node.receive(event.type === 'gossip' ? { ...event, wall: node.process.clock.wall() } : event)
}
