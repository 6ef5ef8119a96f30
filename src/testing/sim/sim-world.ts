import type { Random } from '../../core/machine.ts'
import { type Internet, idleTimeoutMs } from './sim-connection.ts'
import { SimGossip, SimNetwork, type SimNetworkOptions } from './sim-network.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface SimWorldOptions {
  readonly clock: VirtualClock
  readonly random: Random
  /** One way, uniform between these, milliseconds. */
  readonly latencyMs?: readonly [least: number, most: number]
}

/** Ends a fault; calling it again does nothing. */
export type Heal = () => void

interface Cut {
  readonly left: readonly string[]
  readonly right: readonly string[]
  readonly since: number
}

interface Delay {
  readonly peer: string
  readonly ms: number
}

/** Limits: nodes at once; faults of each kind, and names, at once. */
const maxNodes = 1_024
const maxFaults = 64

/**
 * A network of processes in virtual time. It depends only on the clock, the random numbers and the calls, so a seed
 * replays a run exactly. Each fault returns a function that ends it.
 */
export class SimWorld implements Internet {
  readonly clock: VirtualClock
  readonly gossip: SimGossip
  readonly #random: Random
  readonly #latencyMs: readonly [number, number]
  #nodes: readonly SimNetwork[] = []
  #names: readonly { readonly name: string; readonly hosts: readonly string[] }[] = []
  #cuts: readonly Cut[] = []
  #delays: readonly Delay[] = []
  #hosts = 0
  #connections = 0

  constructor({ clock, random, latencyMs = [1, 20] }: SimWorldOptions) {
    this.clock = clock
    this.gossip = new SimGossip(clock)
    this.#random = random
    this.#latencyMs = latencyMs
  }

  /** Starts a process. Throws when one of this identity runs, unless it is a copy: kill the first one before. */
  addNetwork(peer: string, options: SimNetworkOptions = {}): SimNetwork {
    if (options.isCopy !== true && this.findRunning(peer) !== undefined) throw new Error(`${peer} is already running`)
    if (this.#nodes.length >= maxNodes) throw new RangeError(`the world holds ${maxNodes} nodes at most`)
    const host = ++this.#hosts
    const address = `/ip4/10.${host >> 16}.${(host >> 8) & 255}.${host & 255}/udp/4001/quic-v1`
    const node = new SimNetwork(this, this.gossip, peer, { addresses: [address], ...options })
    this.#nodes = [...this.#nodes, node]
    return node
  }

  /** Processes that are alive. */
  get nodes(): readonly SimNetwork[] {
    return this.#nodes
  }

  findRunning(peer: string): SimNetwork | undefined {
    return this.#nodes.find((node) => node.self === peer && node.listening)
  }

  listener(address: string): SimNetwork | undefined {
    return this.#nodes.find((node) => node.listening && node.addresses.includes(address))
  }

  /** Sets the hosts of a DNS name; an empty list removes the name. */
  setHosts(name: string, hosts: readonly string[]): void {
    const others = this.#names.filter((entry) => entry.name !== name)
    if (others.length >= maxFaults) throw new RangeError(`the world holds ${maxFaults} names at most`)
    this.#names = hosts.length === 0 ? others : [...others, { name, hosts }]
  }

  resolve(address: string): readonly string[] | undefined {
    const [bare = ''] = address.split('/p2p/')
    const [, protocol = '', name, ...rest] = bare.split('/')
    if (!protocol.startsWith('dns')) return [bare]
    const hosts = this.#names.find((entry) => entry.name === name)?.hosts
    return hosts?.map((host) => `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/${rest.join('/')}`)
  }

  connectionId(): string {
    return `connection-${++this.#connections}`
  }

  /** One way, random per packet, plus the delays in force. */
  latency(from: string, to: string): number {
    const [least, most] = this.#latencyMs
    if (this.#delays.length === 0) return least + this.#random() * (most - least)
    const extra = this.#delays.filter(({ peer }) => peer === from || peer === to)
    return least + this.#random() * (most - least) + extra.reduce((sum, { ms }) => sum + ms, 0)
  }

  isCut(one: string, other: string): boolean {
    return this.cutSince(one, other) !== Infinity
  }

  cutSince(one: string, other: string): number {
    if (this.#cuts.length === 0) return Infinity
    return Math.min(Infinity, ...this.#cuts.filter((cut) => splits(cut, one, other)).map(({ since }) => since))
  }

  /** Fault: no packet passes between the two sets. Both ends of a connection across it close after the idle timeout. */
  partition(left: readonly string[], right: readonly string[]): Heal {
    if (this.#cuts.length >= maxFaults) throw new RangeError(`the world holds ${maxFaults} partitions at most`)
    const cut: Cut = { left, right, since: this.clock.now() }
    this.#cuts = [...this.#cuts, cut]
    this.#checkIdleLater()
    return once(() => {
      this.#cuts = this.#cuts.filter((one) => one !== cut)
      for (const { ends } of this.#nodes) for (const end of ends) if (splits(cut, end.node.self, end.peer)) end.resume()
    })
  }

  /** Fault: every packet from and to this peer takes `ms` longer. */
  delay(peer: string, ms: number): Heal {
    if (this.#delays.length >= maxFaults) throw new RangeError(`the world holds ${maxFaults} delays at most`)
    const delay: Delay = { peer, ms }
    this.#delays = [...this.#delays, delay]
    return once(() => {
      this.#delays = this.#delays.filter((one) => one !== delay)
    })
  }

  /** Fault: the peer's wall clock is ahead by `ms`, or behind if negative. */
  skew(peer: string, ms: number): Heal {
    const { process } = this.#running(peer)
    process.skewMs += ms
    return once(() => {
      process.skewMs -= ms
    })
  }

  /** Fault: SIGSTOP. Timers and arrivals wait; the far ends of its connections close after the idle timeout. */
  freeze(peer: string): Heal {
    const node = this.#running(peer)
    node.process.stop()
    this.#checkIdleLater()
    return once(() => {
      const slept = this.clock.now() - node.process.silentSince
      node.process.wake()
      for (const end of node.ends) if (slept >= idleTimeoutMs || end.far.isClosed) end.end()
    })
  }

  /** Fault: SIGKILL, without a goodbye. To end it call `network` with the same identity or another one. */
  crash(peer: string): void {
    const node = this.#running(peer)
    node.process.kill()
    this.#nodes = this.#nodes.filter((one) => one !== node)
    this.#checkIdleLater()
  }

  /** Fault: see `SimGossip.replay`. */
  replayGossip(): number {
    return this.gossip.replay(this.#nodes)
  }

  /** Removes a process after a graceful stop, once its closes had time to arrive. */
  remove(node: SimNetwork): void {
    this.#nodes = this.#nodes.filter((one) => one !== node)
    node.process.kill()
    this.#checkIdleLater()
  }

  #running(peer: string): SimNetwork {
    const node = this.findRunning(peer)
    if (node === undefined) throw new Error(`${peer} is not running`)
    return node
  }

  #checkIdleLater(): void {
    this.clock.after(idleTimeoutMs, () => {
      for (const { ends } of this.#nodes) for (const end of ends) end.checkIdle()
    })
  }
}

function splits({ left, right }: Cut, one: string, other: string): boolean {
  return (left.includes(one) && right.includes(other)) || (left.includes(other) && right.includes(one))
}

function once(run: () => void): Heal {
  let done = false
  return () => {
    if (done) return
    done = true
    run()
  }
}
