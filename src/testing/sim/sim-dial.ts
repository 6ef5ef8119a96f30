import type { DialFailure, DialStage } from '../../core/events.ts'
import { idleTimeoutMs, SimEnd } from './sim-connection.ts'
import type { SimNetwork } from './sim-network.ts'
import type { SimWorld } from './sim-world.ts'

export interface DialTarget {
  readonly addresses: readonly string[]
  /** The peer that must answer; undefined accepts any. */
  readonly peer: string | undefined
  readonly limitMs: number
}

export type DialResult =
  | { readonly ok: true; readonly peer: string; readonly address: string }
  | { readonly ok: false; readonly failure: DialFailure }

/** QUIC sends its first packet again after about 1, 3 and 7 s, and gives up at its idle timeout. */
const retransmitMs = [0, 1_000, 3_000, 7_000]

/** One attempt at all addresses in parallel; calls `done` exactly once, unless the process dies. */
export function dial(world: SimWorld, node: SimNetwork, target: DialTarget, done: (result: DialResult) => void): void {
  const resolved = target.addresses.map((address) => world.resolve(address))
  const addresses = resolved.flatMap((hosts) => hosts ?? [])
  const existing = node.ends.find((end) => end.direction === 'outbound' && isTo(end, addresses, target.peer))
  const attempt = new Attempt(world, node, addresses, done)
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
  readonly #world: SimWorld
  readonly #node: SimNetwork
  readonly #addresses: readonly string[]
  readonly #done: (result: DialResult) => void
  #stage: DialStage = 'dial'
  #isDone = false

  constructor(world: SimWorld, node: SimNetwork, addresses: readonly string[], done: (result: DialResult) => void) {
    this.#world = world
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
    const listener = this.#world.listener(address)
    if (this.#isDone || this.#stage !== 'dial' || listener === undefined) return
    const [here, there] = [this.#node.self, listener.self]
    if (this.#world.isCut(here, there)) return
    const latency = this.#world.latency(here, there)
    this.#world.clock.after(latency, () =>
      listener.process.arrive(() => {
        if (this.#world.isCut(here, there)) return
        const answer = () => this.#node.process.arrive(() => this.#handshake(listener, address, expected))
        this.#world.clock.after(latency, answer)
      }),
    )
  }

  /** The listener answered: the dialler's end opens before the listener's, which may still refuse. */
  #handshake(listener: SimNetwork, address: string, expected: string | undefined): void {
    if (this.#isDone || this.#stage !== 'dial') return
    if (expected !== undefined && expected !== listener.self) {
      this.fail('handshake', 'Unexpected', `${listener.self} answered in place of ${expected}`)
      return
    }
    const shared = this.#node.ends.find((end) => end.direction === 'outbound' && end.peer === listener.self)
    this.identify(shared ?? this.#connect(listener, address))
  }

  #connect(listener: SimNetwork, address: string): SimEnd {
    const [from = '/memory/unknown'] = this.#node.addresses
    const near = new SimEnd({ world: this.#world, node: this.#node, direction: 'outbound', address })
    const far = new SimEnd({ world: this.#world, node: listener, direction: 'inbound', address: from })
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
