import type { ConnectionInfo } from '../../core/events.ts'
import type { Frame } from '../../core/frames.ts'
import type { SimNetwork } from './sim-network.ts'
import type { SimWorld } from './sim-world.ts'

/** QUIC's `max_idle_timeout` in js-libp2p: the time to detect a dead peer. */
export const idleTimeoutMs = 10_000
/** Time after which a graceful close without acknowledgement becomes forced. */
const closeLimitMs = 1_000
/** Packets that one end queues while the path is cut, before it closes the connection. */
const maxQueuedPackets = 4_096

export interface EndInit {
  readonly world: SimWorld
  readonly node: SimNetwork
  readonly direction: 'inbound' | 'outbound'
  readonly address: string
}

/**
 * One end of a connection. Each end has its own state, since either may learn late, or never, that the other has
 * closed: that is the cause of ghosts.
 */
export class SimEnd {
  readonly id: string
  readonly node: SimNetwork
  readonly direction: 'inbound' | 'outbound'
  readonly address: string
  readonly #world: SimWorld
  #far: SimEnd | undefined
  #state: 'new' | 'open' | 'closing' | 'closed' = 'new'
  #stream: 'none' | 'opening' | 'open' = 'none'
  /** Whether gossipsub's outbound stream is on this connection. */
  gossips = false
  isIdentified = false
  /** Arrival time of the latest packet: QUIC streams keep their order. */
  #arrivesAt = 0
  #queue: ((far: SimEnd) => void)[] = []

  constructor({ world, node, direction, address }: EndInit) {
    this.#world = world
    this.id = world.connectionId()
    this.node = node
    this.direction = direction
    this.address = address
  }

  join(far: SimEnd): void {
    this.#far = far
  }

  get far(): SimEnd {
    if (this.#far === undefined) throw new Error(`${this.id} has no other end`)
    return this.#far
  }

  get peer(): string {
    return this.far.node.self
  }

  /** Whether libp2p lists it. */
  get isListed(): boolean {
    return this.#state === 'open' || this.#state === 'closing'
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  info(gossip: ConnectionInfo['gossip']): ConnectionInfo {
    const { id, peer, direction, address } = this
    return { id, peer, direction, address, transport: transportOf(address), gossip }
  }

  /** Opens this end. */
  open(): void {
    this.#state = 'open'
    this.#world.clock.after(idleTimeoutMs, () => this.checkIdle())
    this.node.attach(this)
  }

  /** Runs `job` at the other end: later, in order, and only if its process still runs. */
  send(job: (far: SimEnd) => void): void {
    const { far } = this
    if (this.#world.isCut(this.node.self, far.node.self)) {
      this.#enqueue(job)
      return
    }
    const now = this.#world.clock.now()
    this.#arrivesAt = Math.max(this.#arrivesAt, now + this.#world.latency(this.node.self, far.node.self))
    this.#world.clock.after(this.#arrivesAt - now, () => far.node.process.arrive(() => job(far)))
  }

  /** Called when the path works again: sends the queue; a closed far end closes this end. */
  resume(): void {
    const { far } = this
    if (far.isClosed) far.send((near) => near.end())
    const queue = this.#queue
    this.#queue = []
    for (const job of queue) this.send(job)
  }

  openStream(): void {
    if (this.#state !== 'open' || this.#stream !== 'none') return
    this.#stream = 'opening'
    this.send((far) => far.#accept())
  }

  #accept(): void {
    if (this.#state !== 'open') return
    const hasProtocol = !this.node.guest
    const isNew = this.#stream !== 'open'
    this.send((far) => far.#accepted(hasProtocol))
    if (!hasProtocol || !isNew) return
    this.#stream = 'open'
    this.node.deliver({ type: 'stream.open', connection: this.id })
  }

  #accepted(hasProtocol: boolean): void {
    if (!this.isListed || this.#stream !== 'opening') return
    this.#stream = hasProtocol ? 'open' : 'none'
    this.node.deliver({ type: hasProtocol ? 'stream.open' : 'stream.absent', connection: this.id })
  }

  sendFrame(frame: Frame): void {
    if (this.#state !== 'open' || this.#stream !== 'open') return
    this.send((far) => far.#receive(frame))
  }

  #receive(frame: Frame): void {
    if (!this.isListed || this.#stream !== 'open') return
    this.node.receive({ type: 'frame', connection: this.id, frame, wall: this.node.process.clock.wall() })
  }

  /** Graceful: delivers the packets sent before it, then closes both ends. */
  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.send((far) => {
      far.end()
      far.send((near) => near.end())
    })
    this.node.process.clock.after(closeLimitMs, () => this.end())
  }

  abort(): void {
    if (!this.isListed) return
    this.send((far) => far.end())
    this.end()
  }

  /** Closes this end without a packet to the other. */
  end(): void {
    if (!this.isListed) {
      this.#state = 'closed'
      return
    }
    this.#state = 'closed'
    const hadStream = this.#stream === 'open'
    this.#stream = 'none'
    this.node.detach(this)
    if (hadStream) this.node.deliver({ type: 'stream.closed', connection: this.id })
    this.node.deliver({ type: 'changed' })
  }

  /** Closes this end if no packet can have come from the other for the idle timeout. */
  checkIdle(): void {
    if (this.#world.clock.now() - this.#silentSince() >= idleTimeoutMs) this.node.process.arrive(() => this.end())
  }

  #silentSince(): number {
    const { far } = this
    if (!far.isListed) return -Infinity
    return Math.min(far.node.process.silentSince, this.#world.cutSince(this.node.self, far.node.self))
  }

  #enqueue(job: (far: SimEnd) => void): void {
    if (this.#queue.length < maxQueuedPackets) this.#queue.push(job)
    else this.end()
  }
}

function transportOf(address: string): ConnectionInfo['transport'] {
  if (address.includes('/quic-v1')) return 'quic'
  if (address.includes('/tcp/')) return 'tcp'
  return address.startsWith('/memory/') ? 'memory' : 'other'
}
