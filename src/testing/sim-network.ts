import type { ConnectionInfo, Network, NetworkEffect, NetworkEvent } from '../core/events.ts'
import type { SimEnd } from './sim-connection.ts'
import { dial } from './sim-dial.ts'
import { SimProcess } from './sim-process.ts'
import type { SimWorld } from './sim-world.ts'

export interface SimNetworkOptions {
  /** Where it listens, without `/p2p/`. By default an address nobody else has. */
  readonly addresses?: readonly string[]
  /** Meshes whose gossip it subscribes to. */
  readonly meshes?: readonly string[]
  /** Does not speak the link protocol. */
  readonly guest?: boolean
  /** Whether it speaks gossipsub at all. */
  readonly gossip?: boolean
  /** Connections above which an inbound one is closed as soon as it is there. */
  readonly connectionsMax?: number
}

/** A node's way into the simulated world: what libp2p over QUIC would do, warts included. */
export class SimNetwork implements Network {
  readonly self: string
  readonly process: SimProcess
  readonly addresses: readonly string[]
  readonly meshes: readonly string[]
  readonly guest: boolean
  readonly gossips: boolean
  readonly #connectionsMax: number
  readonly #world: SimWorld
  #ends: readonly SimEnd[] = []
  #deliver: ((event: NetworkEvent) => void) | undefined
  #hinted = false
  #stopped = false

  constructor(world: SimWorld, peer: string, address: string, options: SimNetworkOptions) {
    this.self = peer
    this.process = new SimProcess(world.clock)
    this.addresses = options.addresses ?? [address]
    this.meshes = options.meshes ?? []
    this.guest = options.guest ?? false
    this.gossips = options.gossip ?? true
    this.#connectionsMax = options.connectionsMax ?? 300
    this.#world = world
  }

  async start(deliver: (event: NetworkEvent) => void): Promise<void> {
    this.#deliver = deliver
  }

  /** Closes what is open, politely, and is silent from then on. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#deliver = undefined
    for (const end of this.#ends) end.close()
  }

  /** Reachable for those who dial. */
  get listening(): boolean {
    return this.process.alive && !this.#stopped
  }

  get full(): boolean {
    return this.#ends.length >= this.#connectionsMax
  }

  get ends(): readonly SimEnd[] {
    return this.#ends
  }

  snapshot(): readonly ConnectionInfo[] {
    return this.#ends.map((end) => end.info(this.#gossipState(end)))
  }

  /** An event leaves for the node: never from within its own call, as callbacks of libp2p do. */
  deliver(event: NetworkEvent): void {
    if (event.type === 'changed' && this.#hinted) return
    if (event.type === 'changed') this.#hinted = true
    this.process.clock.after(0, () => {
      if (event.type === 'changed') this.#hinted = false
      this.#deliver?.(event)
    })
  }

  attach(end: SimEnd): void {
    this.#ends = [...this.#ends, end]
    this.deliver({ type: 'changed' })
  }

  detach(end: SimEnd): void {
    this.#ends = this.#ends.filter((held) => held !== end)
  }

  /** Gossipsub opens its stream when a peer is identified, unless it believes that it has one. */
  identified(end: SimEnd): void {
    if (!end.listed) return
    end.identified = true
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
    const end = this.#ends.find((held) => held.id === effect.connection)
    if (end === undefined) return
    if (effect.do === 'open') end.openStream()
    else if (effect.do === 'send') end.sendFrame(effect.frame)
    else if (effect.do === 'heal' || effect.do === 'identify')
      end.send((far) => far.send((near) => this.identified(near)))
    else if (effect.abort) end.abort()
    else end.close()
  }

  #dialSeed({ seed, limitMs }: Extract<NetworkEffect, { do: 'dial.seed' }>): void {
    const wanted = seed.split('/p2p/')[1]
    dial(this.#world, this, { addresses: [seed], peer: wanted, limitMs }, (result) =>
      this.deliver(
        result.ok
          ? { type: 'seed.answered', seed, peer: result.peer, address: result.address }
          : { type: 'seed.failed', seed, failure: result.failure },
      ),
    )
  }

  #dialPeer({ peer, addresses, limitMs }: Extract<NetworkEffect, { do: 'dial.peer' }>): void {
    const reached = () => this.deliver({ type: 'peer.dialled', peer, ok: true })
    if (this.#ends.some((end) => end.peer === peer)) {
      reached()
      return
    }
    dial(this.#world, this, { addresses, peer, limitMs }, (result) => {
      if (result.ok) reached()
      else this.deliver({ type: 'peer.dialled', peer, ok: false, failure: result.failure })
    })
  }

  #gossipState(end: SimEnd): ConnectionInfo['gossip'] {
    if (!end.identified || !this.gossips || !end.far.node.gossips) return 'none'
    return this.#gossipsWith(end.peer) ? 'open' : 'missing'
  }

  #gossipsWith(peer: string): boolean {
    return this.#ends.some((end) => end.peer === peer && end.gossips)
  }
}
