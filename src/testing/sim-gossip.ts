import type { NetworkEvent } from '../core/events.ts'
import type { SimNetwork } from './sim-network.ts'
import type { SimWorld } from './sim-world.ts'

/** As its publisher sent it; the wall clock is the hearer's. */
export type Publication =
  | Omit<Extract<NetworkEvent, { type: 'gossip' }>, 'wall'>
  | Extract<NetworkEvent, { type: 'crossing' }>

interface Message {
  readonly event: Publication
  readonly publisher: SimNetwork
  /** Who has had it: nobody hears it twice. */
  readonly reached: Set<SimNetwork>
}

/** Messages kept for a replay. */
const rememberedMax = 64

/**
 * Gossip as its subscribers see it: a publication floods along the gossip streams that are open, hop by hop, each hop
 * with its connection's latency. Meshes of degree, heartbeats and IWANT are left out.
 */
export class SimGossip {
  readonly #world: SimWorld
  #remembered: readonly Message[] = []

  constructor(world: SimWorld) {
    this.#world = world
  }

  publish(from: SimNetwork, event: Publication): void {
    const message: Message = { event, publisher: from, reached: new Set([from]) }
    this.#remembered = [...this.#remembered.slice(1 - rememberedMax), message]
    this.#spread(message, from)
  }

  /**
   * Fault: everything remembered is published again as if it had been relayed late, oldest first: gossipsub forgets what
   * it saw after two minutes. Returns how many.
   */
  replay(): number {
    const old = this.#remembered
    for (const { event, publisher } of old)
      for (const node of this.#world.nodes) {
        if (node !== publisher && node.meshes.includes(event.mesh)) node.process.arrive(() => hand(event, node))
      }
    return old.length
  }

  #spread(message: Message, node: SimNetwork): void {
    for (const end of node.ends) {
      if (!end.gossips || !end.far.node.meshes.includes(message.event.mesh)) continue
      end.send((far) => {
        if (far.listed) this.#hear(message, far.node)
      })
    }
  }

  #hear(message: Message, node: SimNetwork): void {
    if (message.reached.has(node)) return
    message.reached.add(node)
    hand(message.event, node)
    this.#spread(message, node)
  }
}

function hand(event: Publication, node: SimNetwork): void {
  node.deliver(event.type === 'gossip' ? { ...event, wall: node.process.clock.wall() } : event)
}
