import type { ConnectionInfo, DialFailure, DialStage, NetworkEvent } from '../../core/events.ts'
import type { Frame } from '../../core/frames.ts'
import type { SimProcess } from './sim-process.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** QUIC's `max_idle_timeout` in js-libp2p: the time to detect a dead peer. */
export const idleTimeoutMs = 10_000
/** Time after which a graceful close without acknowledgement becomes forced. */
const closeLimitMs = 1_000
/** Packets that one end queues while the path is cut, before it closes the connection. */
const maxQueuedPackets = 4_096
/** QUIC sends its first packet again after about 1, 3 and 7 s, and gives up at its idle timeout. */
const retransmitMs = [0, 1_000, 3_000, 7_000]

/** The paths between all hosts, and their names. */
export interface Internet {
  readonly clock: VirtualClock
  connectionId(): string
  /** Milliseconds of one packet. */
  latency(from: string, to: string): number
  isCut(one: string, other: string): boolean
  /** Since when no packet passes between two peers; Infinity while the path works. */
  cutSince(one: string, other: string): number
  /** An address without its peer id and with its name resolved; undefined for an unknown name. */
  resolve(address: string): readonly string[] | undefined
  /** The host that listens at an address. */
  listener(address: string): SimHost | undefined
}

/** A node as its connections see it. */
export interface SimHost {
  readonly self: string
  readonly process: SimProcess
  readonly addresses: readonly string[]
  readonly meshes: readonly string[]
  /** Does not support the link protocol. */
  readonly guest: boolean
  /** Whether it supports gossipsub. */
  readonly gossips: boolean
  readonly ends: readonly SimEnd[]
  /** Whether it accepts dials. */
  readonly listening: boolean
  readonly isFull: boolean
  /** Delivers an event to the node asynchronously, as callbacks of libp2p do. */
  deliver(event: NetworkEvent): void
  /** What comes from outside is no call of the node's own, and needs no turn of its own. */
  receive(event: NetworkEvent): void
  attach(end: SimEnd): void
  detach(end: SimEnd): void
  /** Gossipsub opens its stream when a peer is identified, unless it has recorded one. */
  markIdentified(end: SimEnd): void
}

/**
 * One end of a connection. Each end has its own state, since either may learn late, or never, that the other has
 * closed: that is the cause of ghosts.
 */
export class SimEnd {
  readonly id: string
  readonly node: SimHost
  readonly direction: 'inbound' | 'outbound'
  readonly address: string
  readonly #internet: Internet
  #far: SimEnd | undefined
  #state: 'new' | 'open' | 'closing' | 'closed' = 'new'
  #stream: 'none' | 'opening' | 'open' = 'none'
  /** Whether gossipsub's outbound stream is on this connection. */
  gossips = false
  isIdentified = false
  /** Arrival time of the latest packet: QUIC streams keep their order. */
  #arrivesAt = 0
  #queue: ((far: SimEnd) => void)[] = []

  constructor(internet: Internet, node: SimHost, direction: SimEnd['direction'], address: string) {
    this.#internet = internet
    this.id = internet.connectionId()
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
    this.#internet.clock.after(idleTimeoutMs, () => this.checkIdle())
    this.node.attach(this)
  }

  /** Runs `job` at the other end: later, in order, and only if its process still runs. */
  send(job: (far: SimEnd) => void): void {
    const { far } = this
    if (this.isCut) this.#enqueue(job)
    else this.#internet.clock.schedule(this.takePacketDelay(), () => far.arrive(job))
  }

  /** Whether a packet would wait at this end for its path. */
  get isCut(): boolean {
    return this.#internet.isCut(this.node.self, this.far.node.self)
  }

  /** Milliseconds until a packet arrives that leaves now; the next one cannot arrive before it. */
  takePacketDelay(): number {
    const now = this.#internet.clock.now()
    this.#arrivesAt = Math.max(this.#arrivesAt, now + this.#internet.latency(this.node.self, this.far.node.self))
    return this.#arrivesAt - now
  }

  /** A packet reached this end. */
  arrive(job: (end: SimEnd) => void): void {
    const { process } = this.node
    if (process.running) job(this)
    else process.arrive(() => job(this))
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

  /** Without an answer the check has no result here: other rules end the connection to a frozen process. */
  checkStreams(): void {
    if (this.#state !== 'open') return
    this.send((far) => {
      far.send((near) => near.node.deliver({ type: 'stream.checked', connection: near.id, hasOpened: true }))
    })
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
    if (this.#internet.clock.now() - this.#silentSince() >= idleTimeoutMs) this.node.process.arrive(() => this.end())
  }

  #silentSince(): number {
    const { far } = this
    if (!far.isListed) return -Infinity
    return Math.min(far.node.process.silentSince, this.#internet.cutSince(this.node.self, far.node.self))
  }

  #enqueue(job: (far: SimEnd) => void): void {
    if (this.#queue.length < maxQueuedPackets) this.#queue.push(job)
    else this.end()
  }
}

export interface DialTarget {
  readonly addresses: readonly string[]
  /** The peer that must answer; undefined accepts any. */
  readonly peer: string | undefined
  readonly limitMs: number
}

export type DialResult =
  | { readonly ok: true; readonly peer: string; readonly address: string }
  | { readonly ok: false; readonly failure: DialFailure }

/** One attempt at all addresses in parallel; calls `done` exactly once, unless the process dies. */
export function dial(internet: Internet, node: SimHost, target: DialTarget, done: (result: DialResult) => void): void {
  const addresses = target.addresses.flatMap((address) => internet.resolve(address) ?? [])
  const existing = node.ends.find((end) => end.direction === 'outbound' && isTo(end, addresses, target.peer))
  const attempt = new Attempt(internet, node, addresses, done)
  if (addresses.length === 0) attempt.fail('resolve', 'NotFoundError', 'no such name')
  else if (addresses.some((address) => node.addresses.includes(address)))
    attempt.fail('dial', 'SelfDial', 'the address is this node’s own')
  else if (existing !== undefined) attempt.identify(existing)
  else attempt.start(target)
}

function isTo(end: SimEnd, addresses: readonly string[], peer: string | undefined): boolean {
  return peer === undefined ? addresses.includes(end.address) : end.peer === peer
}

class Attempt {
  readonly #internet: Internet
  readonly #node: SimHost
  readonly #addresses: readonly string[]
  readonly #done: (result: DialResult) => void
  #stage: DialStage = 'dial'
  #isDone = false

  constructor(internet: Internet, node: SimHost, addresses: readonly string[], done: (result: DialResult) => void) {
    this.#internet = internet
    this.#node = node
    this.#addresses = addresses
    this.#done = done
  }

  start({ peer, limitMs }: DialTarget): void {
    const limit = Math.min(limitMs, idleTimeoutMs)
    const { clock } = this.#node.process
    clock.after(limit, () => this.fail(this.#stage, 'TimeoutError', `no answer within ${limit} ms`))
    for (const address of this.#addresses)
      for (const ms of retransmitMs) if (ms < limit) clock.after(ms, () => this.#sendInitial(address, peer))
  }

  fail(stage: DialStage, errorType: string, errorMessage: string): void {
    const address = this.#addresses.at(-1)
    const of = address === undefined ? {} : { address }
    this.#finish({ ok: false, failure: { stage, addresses: this.#addresses, ...of, errorType, errorMessage } })
  }

  #sendInitial(address: string, expected: string | undefined): void {
    const listener = this.#internet.listener(address)
    if (this.#isDone || this.#stage !== 'dial' || listener === undefined) return
    const [here, there] = [this.#node.self, listener.self]
    if (this.#internet.isCut(here, there)) return
    const latency = this.#internet.latency(here, there)
    const { clock } = this.#internet
    clock.after(latency, () =>
      listener.process.arrive(() => {
        if (this.#internet.isCut(here, there)) return
        clock.after(latency, () => this.#node.process.arrive(() => this.#handshake(listener, address, expected)))
      }),
    )
  }

  /** The listener answered: the dialler's end opens before the listener's, which may still refuse. */
  #handshake(listener: SimHost, address: string, expected: string | undefined): void {
    if (this.#isDone || this.#stage !== 'dial') return
    if (expected !== undefined && expected !== listener.self) {
      this.fail('handshake', 'UnexpectedPeer', `${listener.self} answered in place of ${expected}`)
      return
    }
    const shared = this.#node.ends.find((end) => end.direction === 'outbound' && end.peer === listener.self)
    this.identify(shared ?? this.#connect(listener, address))
  }

  #connect(listener: SimHost, address: string): SimEnd {
    const [from = '/memory/unknown'] = this.#node.addresses
    const near = new SimEnd(this.#internet, this.#node, 'outbound', address)
    const far = new SimEnd(this.#internet, listener, 'inbound', from)
    near.join(far)
    far.join(near)
    near.open()
    near.send((end) => accept(end))
    return near
  }

  /** The attempt succeeds only when the peer is identified; a connection refused after the handshake never is. */
  identify(end: SimEnd): void {
    this.#stage = 'identify'
    this.#node.process.clock.after(idleTimeoutMs, () => this.fail('identify', 'TimeoutError', 'identify had no answer'))
    end.send((far) => {
      if (!far.isListed) return
      far.node.markIdentified(far)
      far.send((near) => {
        if (!near.isListed) return
        near.node.markIdentified(near)
        this.#finish({ ok: true, peer: near.peer, address: near.address })
      })
    })
  }

  #finish(result: DialResult): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#done(result)
  }
}

function accept(end: SimEnd): void {
  if (end.node.listening && !end.node.isFull) {
    end.open()
    return
  }
  end.end()
  end.send((dialler) => dialler.end())
}

function transportOf(address: string): ConnectionInfo['transport'] {
  if (address.includes('/quic-v1')) return 'quic'
  if (address.includes('/tcp/')) return 'tcp'
  return address.startsWith('/memory/') ? 'memory' : 'other'
}
