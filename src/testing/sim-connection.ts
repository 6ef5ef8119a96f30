import type { ConnectionInfo } from '../core/events.ts'
import type { Frame } from '../core/frames.ts'
import type { SimNetwork } from './sim-network.ts'
import type { SimWorld } from './sim-world.ts'

/** QUIC's `max_idle_timeout` in js-libp2p: what it takes to notice that nobody is there any more. */
export const idleTimeoutMs = 10_000
/** A polite close that nobody acknowledges is forced after this. */
const closeLimitMs = 1_000
/** Packets that one end holds for a path that is cut, before it gives the connection up. */
const heldMax = 4_096

export interface EndInit {
  readonly world: SimWorld
  readonly node: SimNetwork
  readonly direction: 'inbound' | 'outbound'
  readonly address: string
}

/**
 * One end of a connection. Each end has its own state, since either may learn late, or never, what became of the other:
 * that is where ghosts come from.
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
  /** Gossip's own outbound stream is on this connection. */
  gossips = false
  identified = false
  /** QUIC streams are ordered: nothing overtakes what was sent before it. */
  #arrivesAt = 0
  #held: ((far: SimEnd) => void)[] = []

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

  /** Whether libp2p would list it. */
  get listed(): boolean {
    return this.#state === 'open' || this.#state === 'closing'
  }

  /** It was, or was to be, and is no more. */
  get gone(): boolean {
    return this.#state === 'closed'
  }

  info(gossip: ConnectionInfo['gossip']): ConnectionInfo {
    const { id, peer, direction, address } = this
    return { id, peer, direction, address, transport: transportOf(address), gossip }
  }

  /** This end exists from now on. */
  opened(): void {
    this.#state = 'open'
    this.#world.clock.after(idleTimeoutMs, () => this.checkIdle())
    this.node.attach(this)
  }

  /** Hands `job` to the other end: later, in order, and only if there still is one that runs. */
  send(job: (far: SimEnd) => void): void {
    const { far } = this
    if (this.#world.isCut(this.node.self, far.node.self)) {
      this.#hold(job)
      return
    }
    const now = this.#world.clock.now()
    this.#arrivesAt = Math.max(this.#arrivesAt, now + this.#world.latency(this.node.self, far.node.self))
    this.#world.clock.after(this.#arrivesAt - now, () => far.node.process.arrive(() => job(far)))
  }

  /** The path is there again: what was held is sent again, and an end that is gone says so. */
  resume(): void {
    const { far } = this
    if (far.gone) far.send((near) => near.end())
    const held = this.#held
    this.#held = []
    for (const job of held) this.send(job)
  }

  openStream(): void {
    if (this.#state !== 'open' || this.#stream !== 'none') return
    this.#stream = 'opening'
    this.send((far) => far.#accept())
  }

  #accept(): void {
    if (this.#state !== 'open') return
    const speaks = !this.node.guest
    const fresh = this.#stream !== 'open'
    this.send((far) => far.#accepted(speaks))
    if (!speaks || !fresh) return
    this.#stream = 'open'
    this.node.deliver({ type: 'stream.open', connection: this.id })
  }

  #accepted(speaks: boolean): void {
    if (!this.listed || this.#stream !== 'opening') return
    this.#stream = speaks ? 'open' : 'none'
    this.node.deliver({ type: speaks ? 'stream.open' : 'stream.absent', connection: this.id })
  }

  sendFrame(frame: Frame): void {
    if (this.#state !== 'open' || this.#stream !== 'open') return
    this.send((far) => far.#receive(frame))
  }

  #receive(frame: Frame): void {
    if (!this.listed || this.#stream !== 'open') return
    this.node.deliver({ type: 'frame', connection: this.id, frame, wall: this.node.process.clock.wall() })
  }

  /** Polite: what was sent is delivered, then both ends close. */
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
    if (!this.listed) return
    this.send((far) => far.end())
    this.end()
  }

  /** This end is gone; the other is told nothing. */
  end(): void {
    if (!this.listed) {
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

  /** Ends this end if nothing can have been heard from the other for the idle timeout. */
  checkIdle(): void {
    if (this.#world.clock.now() - this.#silentSince() >= idleTimeoutMs) this.node.process.arrive(() => this.end())
  }

  #silentSince(): number {
    const { far } = this
    if (!far.listed) return -Infinity
    return Math.min(far.node.process.silentSince, this.#world.cutSince(this.node.self, far.node.self))
  }

  #hold(job: (far: SimEnd) => void): void {
    if (this.#held.length < heldMax) this.#held.push(job)
    else this.end()
  }
}

function transportOf(address: string): ConnectionInfo['transport'] {
  if (address.includes('/quic-v1')) return 'quic'
  if (address.includes('/tcp/')) return 'tcp'
  return address.startsWith('/memory/') ? 'memory' : 'other'
}
