import type { Random } from '../core/machine.ts'
import { idleTimeoutMs } from './sim-connection.ts'
import { SimGossip } from './sim-gossip.ts'
import { SimNetwork, type SimNetworkOptions } from './sim-network.ts'
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

/** Nodes alive at once, and faults and names at once. */
const nodesMax = 1_024
const faultsMax = 64

/**
 * A network of processes in virtual time. Everything in it follows from the clock, the random numbers and the calls
 * made, so a seed replays a run exactly. Each fault returns its cure.
 */
export class SimWorld {
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
    this.gossip = new SimGossip(this)
    this.#random = random
    this.#latencyMs = latencyMs
  }

  /** A process that starts now. Throws when one of this identity runs already: kill it first. */
  network(peer: string, options: SimNetworkOptions = {}): SimNetwork {
    if (this.find(peer) !== undefined) throw new Error(`${peer} runs already`)
    if (this.#nodes.length >= nodesMax) throw new RangeError(`the world holds ${nodesMax} nodes at most`)
    const host = ++this.#hosts
    const address = `/ip4/10.${host >> 16}.${(host >> 8) & 255}.${host & 255}/udp/4001/quic-v1`
    const node = new SimNetwork(this, peer, address, options)
    this.#nodes = [...this.#nodes, node]
    return node
  }

  /** Processes that are not dead. */
  get nodes(): readonly SimNetwork[] {
    return this.#nodes
  }

  find(peer: string): SimNetwork | undefined {
    return this.#nodes.find((node) => node.self === peer && node.listening)
  }

  /** Who answers at an address. */
  listener(address: string): SimNetwork | undefined {
    return this.#nodes.find((node) => node.listening && node.addresses.includes(address))
  }

  /** Sets what a DNS name stands for, from now on; no hosts take it away. */
  name(name: string, hosts: readonly string[]): void {
    const others = this.#names.filter((entry) => entry.name !== name)
    if (others.length >= faultsMax) throw new RangeError(`the world holds ${faultsMax} names at most`)
    this.#names = hosts.length === 0 ? others : [...others, { name, hosts }]
  }

  /** An address without its peer id and with its name resolved; undefined for a name that nobody knows. */
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

  /** One way, drawn anew for each packet, plus what the delays in force add. */
  latency(from: string, to: string): number {
    const [least, most] = this.#latencyMs
    const added = this.#delays.filter(({ peer }) => peer === from || peer === to)
    return least + this.#random() * (most - least) + added.reduce((sum, { ms }) => sum + ms, 0)
  }

  isCut(one: string, other: string): boolean {
    return this.cutSince(one, other) !== Infinity
  }

  /** Since when no packet passes between two peers; Infinity while the path is whole. */
  cutSince(one: string, other: string): number {
    return Math.min(Infinity, ...this.#cuts.filter((cut) => parts(cut, one, other)).map(({ since }) => since))
  }

  /** Fault: no packet passes between the two sets. Connections across it die after the idle timeout, both ends. */
  partition(left: readonly string[], right: readonly string[]): Heal {
    if (this.#cuts.length >= faultsMax) throw new RangeError(`the world holds ${faultsMax} partitions at most`)
    const cut: Cut = { left, right, since: this.clock.now() }
    this.#cuts = [...this.#cuts, cut]
    this.#checkIdleLater()
    return once(() => {
      this.#cuts = this.#cuts.filter((held) => held !== cut)
      for (const { ends } of this.#nodes) for (const end of ends) if (parts(cut, end.node.self, end.peer)) end.resume()
    })
  }

  /** Fault: every packet from and to this peer takes `ms` longer. */
  delay(peer: string, ms: number): Heal {
    if (this.#delays.length >= faultsMax) throw new RangeError(`the world holds ${faultsMax} delays at most`)
    const delay: Delay = { peer, ms }
    this.#delays = [...this.#delays, delay]
    return once(() => {
      this.#delays = this.#delays.filter((held) => held !== delay)
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

  /** Fault: SIGSTOP. What is due and what arrives waits; those connected to it give up after the idle timeout. */
  freeze(peer: string): Heal {
    const node = this.#running(peer)
    node.process.stop()
    this.#checkIdleLater()
    return once(() => {
      const slept = this.clock.now() - node.process.silentSince
      node.process.wake()
      for (const end of node.ends) if (slept >= idleTimeoutMs || end.far.gone) end.end()
    })
  }

  /** Fault: SIGKILL. Nobody is told. Its cure is `network` with the same identity, or another one. */
  crash(peer: string): void {
    const node = this.#running(peer)
    node.process.kill()
    this.#nodes = this.#nodes.filter((held) => held !== node)
    this.#checkIdleLater()
  }

  /** Takes a process that has stopped in order out of the world, once its closes had time to be delivered. */
  remove(node: SimNetwork): void {
    this.#nodes = this.#nodes.filter((held) => held !== node)
    node.process.kill()
    this.#checkIdleLater()
  }

  #running(peer: string): SimNetwork {
    const node = this.find(peer)
    if (node === undefined) throw new Error(`${peer} does not run`)
    return node
  }

  #checkIdleLater(): void {
    this.clock.after(idleTimeoutMs, () => {
      for (const { ends } of this.#nodes) for (const end of ends) end.checkIdle()
    })
  }
}

function parts({ left, right }: Cut, one: string, other: string): boolean {
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
