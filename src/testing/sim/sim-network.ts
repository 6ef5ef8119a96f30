import type { ConnectionInfo, Network, NetworkEffect, NetworkEvent } from '../../core/events.ts'
import type { SimEnd } from './sim-connection.ts'
import { dial } from './sim-dial.ts'
import { SimProcess } from './sim-process.ts'
import type { SimWorld } from './sim-world.ts'

export interface SimNetworkOptions {
  /** Where it listens, without `/p2p/`. By default a unique address. */
  readonly addresses?: readonly string[]
  /** Meshes whose gossip it subscribes to. */
  readonly meshes?: readonly string[]
  /** Does not support the link protocol. */
  readonly guest?: boolean
  /** Whether it supports gossipsub. */
  readonly gossip?: boolean
  /** Connections above which it closes every new inbound one. */
  readonly maxConnections?: number
}

/** A node's network in the simulated world: behaves as libp2p over QUIC does, with its flaws. */
export class SimNetwork implements Network {
  readonly self: string
  readonly process: SimProcess
  readonly addresses: readonly string[]
  readonly meshes: readonly string[]
  readonly guest: boolean
  readonly gossips: boolean
  readonly #maxConnections: number
  readonly #world: SimWorld
  #ends: readonly SimEnd[] = []
  #deliver: ((event: NetworkEvent) => void) | undefined
  #isChangeQueued = false
  #stopped = false

  constructor(world: SimWorld, peer: string, address: string, options: SimNetworkOptions) {
    this.self = peer
    this.process = new SimProcess(world.clock)
    this.addresses = options.addresses ?? [address]
    this.meshes = options.meshes ?? []
    this.guest = options.guest ?? false
    this.gossips = options.gossip ?? true
    this.#maxConnections = options.maxConnections ?? 300
    this.#world = world
  }

  async start(deliver: (event: NetworkEvent) => void): Promise<void> {
    this.#deliver = deliver
  }

  /** Closes all connections gracefully and emits no event from then on. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#deliver = undefined
    for (const end of this.#ends) end.close()
  }

  /** Whether it accepts dials. */
  get listening(): boolean {
    return this.process.alive && !this.#stopped
  }

  get isFull(): boolean {
    return this.#ends.length >= this.#maxConnections
  }

  get ends(): readonly SimEnd[] {
    return this.#ends
  }

  snapshot(): readonly ConnectionInfo[] {
    return this.#ends.map((end) => end.info(this.#gossipState(end)))
  }

  /** Delivers an event to the node asynchronously, as callbacks of libp2p do. */
  deliver(event: NetworkEvent): void {
    if (event.type === 'changed' && this.#isChangeQueued) return
    if (event.type === 'changed') this.#isChangeQueued = true
    this.process.clock.after(0, () => {
      if (event.type === 'changed') this.#isChangeQueued = false
      this.#deliver?.(event)
    })
  }

  /** What comes from outside is no call of the node's own, and needs no turn of its own. */
  receive(event: NetworkEvent): void {
    this.#deliver?.(event)
  }

  attach(end: SimEnd): void {
    this.#ends = [...this.#ends, end]
    this.deliver({ type: 'changed' })
  }

  detach(end: SimEnd): void {
    this.#ends = this.#ends.filter((one) => one !== end)
  }

  /** Gossipsub opens its stream when a peer is identified, unless it has recorded one. */
  markIdentified(end: SimEnd): void {
    if (!end.isListed) return
    end.isIdentified = true
    if (this.gossips && end.far.node.gossips && !this.#gossipsWith(end.peer)) end.gossips = true
    this.deliver({ type: 'changed' })
  }

  perform(effect: NetworkEffect): void {
    if (!this.process.running || this.#stopped) return
    if (effect.do === 'dial.seed') this.#dialSeed(effect)
    else if (effect.do === 'dial.peer') this.#dialPeer(effect)
    else if (effect.do === 'gossip' || effect.do === 'forward') this.#publish(effect)
    else if (effect.do === 'dial.back')
      this.deliver({ type: 'dialled.back', nonce: effect.nonce, errorType: 'NotSimulated' })
    else this.#onConnection(effect)
  }

  #publish(effect: Extract<NetworkEffect, { mesh: string }>): void {
    const { mesh } = effect
    this.#world.gossip.publish(
      this,
      effect.do === 'gossip'
        ? { type: 'gossip', mesh, from: this.self, digest: effect.digest }
        : { type: 'crossing', mesh, crossing: effect.crossing },
    )
  }

  #onConnection(effect: Extract<NetworkEffect, { connection: string }>): void {
    const end = this.#ends.find((one) => one.id === effect.connection)
    if (end === undefined) return
    if (effect.do === 'open') end.openStream()
    else if (effect.do === 'send') end.sendFrame(effect.frame)
    else if (effect.do === 'heal' || effect.do === 'identify')
      end.send((far) => far.send((near) => this.markIdentified(near)))
    else if (effect.abort) end.abort()
    else end.close()
  }

  #dialSeed({ seed, limitMs }: Extract<NetworkEffect, { do: 'dial.seed' }>): void {
    const peer = seed.split('/p2p/')[1]
    dial(this.#world, this, { addresses: [seed], peer, limitMs }, (result) =>
      this.deliver(
        result.ok
          ? { type: 'seed.answered', seed, peer: result.peer, address: result.address }
          : { type: 'seed.failed', seed, failure: result.failure },
      ),
    )
  }

  #dialPeer({ peer, addresses, limitMs }: Extract<NetworkEffect, { do: 'dial.peer' }>): void {
    const succeed = () => this.deliver({ type: 'peer.dialled', peer, ok: true })
    if (this.#ends.some((end) => end.peer === peer)) {
      succeed()
      return
    }
    dial(this.#world, this, { addresses, peer, limitMs }, (result) => {
      if (result.ok) succeed()
      else this.deliver({ type: 'peer.dialled', peer, ok: false, failure: result.failure })
    })
  }

  #gossipState(end: SimEnd): ConnectionInfo['gossip'] {
    if (!end.isIdentified || !this.gossips || !end.far.node.gossips) return 'none'
    return this.#gossipsWith(end.peer) ? 'open' : 'missing'
  }

  #gossipsWith(peer: string): boolean {
    return this.#ends.some((end) => end.peer === peer && end.gossips)
  }
}
