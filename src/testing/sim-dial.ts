import type { DialFailure, DialStage } from '../core/events.ts'
import { idleTimeoutMs, SimEnd } from './sim-connection.ts'
import type { SimNetwork } from './sim-network.ts'
import type { SimWorld } from './sim-world.ts'

export interface DialTarget {
  readonly addresses: readonly string[]
  /** Who must answer; undefined takes anybody. */
  readonly peer: string | undefined
  readonly limitMs: number
}

export type DialResult =
  | { readonly ok: true; readonly peer: string; readonly address: string }
  | { readonly ok: false; readonly failure: DialFailure }

/** QUIC sends its first packet again after about 1, 3 and 7 s, and gives up at its idle timeout. */
const retransmitMs = [0, 1_000, 3_000, 7_000]

/** One attempt at all addresses side by side; `done` is called exactly once, unless the process dies. */
export function dial(world: SimWorld, node: SimNetwork, target: DialTarget, done: (result: DialResult) => void): void {
  const resolved = target.addresses.map((address) => world.resolve(address))
  const addresses = resolved.flatMap((found) => found ?? [])
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
  #over = false

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
      for (const ms of retransmitMs) if (ms < limit) clock.after(ms, () => this.#knock(address, peer))
  }

  fail(stage: DialStage, errorType: string, errorMessage: string): void {
    const address = this.#addresses.at(-1)
    const of = address === undefined ? {} : { address }
    this.#settle({ ok: false, failure: { stage, addresses: this.#addresses, ...of, errorType, errorMessage } })
  }

  #knock(address: string, wanted: string | undefined): void {
    const found = this.#world.listener(address)
    if (this.#over || this.#stage !== 'dial' || found === undefined) return
    const [here, there] = [this.#node.self, found.self]
    if (this.#world.isCut(here, there)) return
    const latency = this.#world.latency(here, there)
    this.#world.clock.after(latency, () =>
      found.process.arrive(() => {
        if (this.#world.isCut(here, there)) return
        this.#world.clock.after(latency, () => this.#node.process.arrive(() => this.#shake(found, address, wanted)))
      }),
    )
  }

  /** The listener answered: the dialler's end is there before the listener's, which may yet refuse. */
  #shake(found: SimNetwork, address: string, wanted: string | undefined): void {
    if (this.#over || this.#stage !== 'dial') return
    if (wanted !== undefined && wanted !== found.self) {
      this.fail('handshake', 'UnexpectedPeer', `${found.self} answered in place of ${wanted}`)
      return
    }
    const shared = this.#node.ends.find((end) => end.direction === 'outbound' && end.peer === found.self)
    this.identify(shared ?? this.#connect(found, address))
  }

  #connect(found: SimNetwork, address: string): SimEnd {
    const [from = '/memory/unknown'] = this.#node.addresses
    const near = new SimEnd({ world: this.#world, node: this.#node, direction: 'outbound', address })
    const far = new SimEnd({ world: this.#world, node: found, direction: 'inbound', address: from })
    near.join(far)
    far.join(near)
    near.opened()
    near.send((end) => accept(end))
    return near
  }

  /** Only an identified peer is an answer; a connection refused after the handshake never gets there. */
  identify(end: SimEnd): void {
    this.#stage = 'identify'
    this.#node.process.clock.after(idleTimeoutMs, () => this.fail('identify', 'TimeoutError', 'identify had no answer'))
    end.send((far) => {
      if (!far.listed) return
      far.node.identified(far)
      far.send((near) => {
        if (!near.listed) return
        near.node.identified(near)
        this.#settle({ ok: true, peer: near.peer, address: near.address })
      })
    })
  }

  #settle(result: DialResult): void {
    if (this.#over) return
    this.#over = true
    this.#done(result)
  }
}

function accept(end: SimEnd): void {
  if (end.node.listening && !end.node.full) {
    end.opened()
    return
  }
  end.end()
  end.send((dialler) => dialler.end())
}
