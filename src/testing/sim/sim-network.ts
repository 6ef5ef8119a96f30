import type { ConnectionInfo, Network, NetworkEffect, NetworkEvent } from '../../core/events.ts'
import { dial, type Internet, type SimEnd, type SimHost } from './sim-connection.ts'
import { SimProcess } from './sim-process.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface SimNetworkOptions {
  /** Where it listens, without `/p2p/`. */
  readonly addresses?: readonly string[]
  /** Meshes whose gossip it subscribes to. */
  readonly meshes?: readonly string[]
  /** Does not support the link protocol. */
  readonly guest?: boolean
  /** Whether it supports gossipsub. */
  readonly gossip?: boolean
  /** Connections above which it closes every new inbound one. */
  readonly maxConnections?: number
  /** Whether another process of this identity may run. */
  readonly isCopy?: boolean
}

/** A node's network in the simulated world: behaves as libp2p over QUIC does, with its flaws. */
export class SimNetwork implements Network, SimHost {
  readonly self: string
  readonly process: SimProcess
  readonly addresses: readonly string[]
  readonly meshes: readonly string[]
  readonly guest: boolean
  readonly gossips: boolean
  readonly #maxConnections: number
  readonly #internet: Internet
  readonly #gossip: SimGossip
  #ends: readonly SimEnd[] = []
  #deliver: ((event: NetworkEvent) => void) | undefined
  #isChangeQueued = false
  #stopped = false

  constructor(internet: Internet, gossip: SimGossip, peer: string, options: SimNetworkOptions) {
    this.self = peer
    this.process = new SimProcess(internet.clock)
    this.addresses = options.addresses ?? []
    this.meshes = options.meshes ?? []
    this.guest = options.guest ?? false
    this.gossips = options.gossip ?? true
    this.#maxConnections = options.maxConnections ?? 300
    this.#internet = internet
    this.#gossip = gossip
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

  get listening(): boolean {
    return this.process.alive && !this.#stopped
  }

  get isFull(): boolean {
    return this.#ends.length >= this.#maxConnections
  }

  get ends(): readonly SimEnd[] {
    return this.#ends
  }

  observe(): readonly ConnectionInfo[] {
    return this.snapshot()
  }

  snapshot(): readonly ConnectionInfo[] {
    return this.#ends.map((end) => end.info(this.#gossipState(end)))
  }

  deliver(event: NetworkEvent): void {
    if (event.type === 'changed' && this.#isChangeQueued) return
    if (event.type === 'changed') this.#isChangeQueued = true
    this.process.clock.after(0, () => {
      if (event.type === 'changed') this.#isChangeQueued = false
      this.#deliver?.(event)
    })
  }

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
    else if (effect.do !== 'admit') this.#onConnection(effect)
  }

  #publish(effect: Extract<NetworkEffect, { mesh: string }>): void {
    const { mesh } = effect
    this.#gossip.publish(
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
    else if (effect.do === 'check') end.checkStreams()
    else if (effect.do === 'heal' || effect.do === 'identify')
      end.send((far) => far.send((near) => this.markIdentified(near)))
    else if (effect.abort) end.abort()
    else end.close()
  }

  #dialSeed({ seed, limitMs }: Extract<NetworkEffect, { do: 'dial.seed' }>): void {
    const peer = seed.split('/p2p/')[1]
    dial(this.#internet, this, { addresses: [seed], peer, limitMs }, (result) =>
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
    dial(this.#internet, this, { addresses, peer, limitMs }, (result) => {
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

/** A message as its publisher sent it, without the receiver's wall clock. */
type Publication = Omit<Extract<NetworkEvent, { type: 'gossip' }>, 'wall'> | Extract<NetworkEvent, { type: 'crossing' }>

interface Message {
  readonly event: Publication
  readonly publisher: SimHost
  /** The first copy on its way to each node; undefined once the node has received it, which it does once. */
  readonly firstCopies: Map<SimHost, Copy | undefined>
}

/** A message on its way over one connection. */
interface Copy {
  readonly message: Message
  /** The end at which it arrives. */
  readonly end: SimEnd
  readonly arrivesAt: number
  /** A copy that arrives later at the same node: it matters only if this one is lost. */
  later: Copy | undefined
}

/** Messages retained for a replay. */
const maxRecentMessages = 64

/**
 * Gossip without gossipsub's mesh degree, heartbeats and IWANT: a message floods along the open gossip streams, hop by
 * hop, each hop with the latency of its connection.
 */
export class SimGossip {
  readonly #clock: VirtualClock
  #recentMessages: readonly Message[] = []
  #hops = 0
  #published = 0

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  /** Messages sent from neighbour to neighbour so far. */
  get hops(): number {
    return this.#hops
  }

  /** Messages published so far. */
  get published(): number {
    return this.#published
  }

  publish(from: SimHost, event: Publication): void {
    this.#published++
    const message: Message = { event, publisher: from, firstCopies: new Map([[from, undefined]]) }
    this.#recentMessages = [...this.#recentMessages.slice(1 - maxRecentMessages), message]
    this.#flood(message, from)
  }

  /**
   * Fault: delivers all recent messages to these nodes again, oldest first, like a late relay: gossipsub forgets a message
   * id after two minutes. Returns how many.
   */
  replay(nodes: readonly SimHost[]): number {
    const old = this.#recentMessages
    for (const { event, publisher } of old)
      for (const node of nodes) {
        if (node !== publisher && node.meshes.includes(event.mesh)) node.process.arrive(() => deliver(event, node))
      }
    return old.length
  }

  #flood(message: Message, node: SimHost): void {
    for (const end of node.ends) {
      if (!end.gossips) continue
      const { far } = end
      if (isReached(message, far.node) || !far.node.meshes.includes(message.event.mesh)) continue
      this.#hops++
      if (end.isCut) end.send(() => this.#receive({ message, end: far, arrivesAt: 0, later: undefined }))
      else this.#send(message, far, end.takePacketDelay())
    }
  }

  /** Of the copies to one node only the first is scheduled: most of a flood are later ones. */
  #send(message: Message, end: SimEnd, delayMs: number): void {
    const arrivesAt = this.#clock.now() + delayMs
    const copy: Copy = { message, end, arrivesAt, later: undefined }
    const first = message.firstCopies.get(end.node)
    if (first !== undefined && first.arrivesAt <= arrivesAt) {
      copy.later = first.later
      first.later = copy
      return
    }
    message.firstCopies.set(end.node, copy)
    const receive = () => this.#receive(copy)
    this.#clock.schedule(delayMs, () => end.arrive(receive))
  }

  #receive({ message, end, later }: Copy): void {
    const { node } = end
    if (isReached(message, node)) return
    if (end.isListed) {
      message.firstCopies.set(node, undefined)
      deliver(message.event, node)
      this.#flood(message, node)
      return
    }
    message.firstCopies.delete(node)
    for (let copy = later; copy !== undefined; copy = copy.later)
      this.#send(message, copy.end, copy.arrivesAt - this.#clock.now())
  }
}

function isReached({ firstCopies }: Message, node: SimHost): boolean {
  return firstCopies.get(node) === undefined && firstCopies.has(node)
}

function deliver(event: Publication, node: SimHost): void {
  node.receive(event.type === 'gossip' ? { ...event, wall: node.process.clock.wall() } : event)
}
