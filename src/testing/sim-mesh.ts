import { createHash } from 'node:crypto'
import type { Role } from '../catalogue/roles.ts'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { SpanName } from '../catalogue/spans.ts'
import { Driver } from '../core/driver.ts'
import type { ConnectionInfo } from '../core/events.ts'
import type { Random } from '../core/machine.ts'
import { MeshNode, type MeshNodeOptions } from '../core/mesh-node.ts'
import { type Inventory, Owner } from '../core/owner.ts'
import type { TraceRef } from '../core/trace.ts'
import { seededRandom } from './random.ts'
import type { SimNetwork } from './sim-network.ts'
import { SimWorld, type SimWorldOptions } from './sim-world.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface SimMeshOptions {
  readonly seed: number
  /** Who may run, each with an address of its own: `addressOf(name)` holds before and after it runs. */
  readonly names: readonly string[]
  readonly settings?: Partial<NodeSettings>
  readonly latencyMs?: SimWorldOptions['latencyMs']
}

type NodeSettings = Pick<
  MeshNodeOptions,
  'stalenessMs' | 'sweepMs' | 'digestMs' | 'gossipDigestMs' | 'neighbours' | 'maxPeers'
>

export interface SimNodeOptions {
  /** Peer id; by default the name. Another one is a fresh identity. */
  readonly peer?: string
  readonly role?: Role
  readonly meshes?: readonly string[]
  readonly seeds?: readonly string[]
  /** By default counted per peer id, as a persistent node does. */
  readonly incarnation?: number
  readonly topics?: readonly string[]
}

/** A span as it was told, with the virtual time and who told it. */
export interface EmittedSpan {
  readonly node: string
  readonly at: number
  readonly span: SpanName
  readonly attributes: Readonly<Record<string, unknown>>
  readonly ref: TraceRef | undefined
  readonly parent: TraceRef | null | undefined
  readonly links: readonly TraceRef[]
}

export interface SimNode {
  readonly name: string
  readonly peer: string
  readonly incarnation: number
  readonly node: MeshNode
  readonly driver: Driver
  readonly network: SimNetwork
  readonly owner: Owner
}

const defaults: NodeSettings = {
  stalenessMs: 30_000,
  sweepMs: 5_000,
  digestMs: 2_000,
  gossipDigestMs: 10_000,
  neighbours: 8,
  maxPeers: 300,
}

/** Spans kept for questions; the hash covers all of them. */
const spansMax = 200_000

/** Whole nodes, the very machines and driver of a real one, over a simulated world. One seed is one run. */
export class SimMesh {
  readonly clock = new VirtualClock()
  readonly world: SimWorld
  readonly #options: SimMeshOptions
  readonly #random: Random
  readonly #hash = createHash('sha256')
  #spans: EmittedSpan[] = []
  #nodes: readonly SimNode[] = []
  #started: readonly string[] = []

  constructor(options: SimMeshOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
    const latency = options.latencyMs === undefined ? {} : { latencyMs: options.latencyMs }
    this.world = new SimWorld({ clock: this.clock, random: this.#random, ...latency })
  }

  get spans(): readonly EmittedSpan[] {
    return this.#spans
  }

  /** Of every span told so far, in order: equal for two runs if and only if they went alike. */
  get hash(): string {
    return this.#hash.copy().digest('hex')
  }

  /** Those that run, frozen ones included. */
  get nodes(): readonly SimNode[] {
    return this.#nodes
  }

  addressOf(name: string): string {
    const index = this.#options.names.indexOf(name)
    if (index < 0) throw new RangeError(`${name} is none of ${this.#options.names.join(' ')}`)
    return `/ip4/10.200.${index >> 8}.${index & 255}/udp/4001/quic-v1`
  }

  async start(name: string, options: SimNodeOptions = {}): Promise<SimNode> {
    const { peer = name, role = 'compute', meshes = ['m'], seeds = [], topics = [] } = options
    const addresses = [this.addressOf(name)]
    const incarnation = options.incarnation ?? 1 + this.#started.filter((one) => one === peer).length
    const network = this.world.network(peer, { addresses, meshes })
    const { clock } = network.process
    const owner = new Owner(name, clock)
    const random = seededRandom(Math.floor(this.#random() * 2 ** 32))
    const settings = { ...defaults, ...this.#options.settings }
    const identity = { self: peer, name, role, meshes, incarnation, build: 'sim', seeds, random }
    const node = new MeshNode(owner, { ...identity, ...settings })
    const driver = new Driver({
      node,
      network,
      clock,
      owner,
      emitSpan: (span, window) => this.#tell(name, span, window),
      census: () => requireBounds(name, owner.inventory()),
    })
    const held: SimNode = { name, peer, incarnation, node, driver, network, owner }
    this.#started = [...this.#started, peer]
    this.#nodes = [...this.#nodes, held]
    await driver.start([])
    driver.deliver({ type: 'profile', topics, addresses })
    return held
  }

  /** SIGTERM: goodbye, then an ordered stop within a second. */
  async stop(name: string): Promise<void> {
    const held = this.node(name)
    held.driver.deliver({ type: 'stopping' })
    this.clock.advance(500)
    await held.network.stop()
    this.clock.advance(500)
    await held.owner.close()
    this.world.remove(held.network)
    this.#forget(held)
  }

  /** SIGKILL: nothing of the node runs any more, nobody is told. */
  kill(name: string): void {
    const held = this.node(name)
    this.world.crash(held.peer)
    this.#forget(held)
  }

  /** Ends the run: nothing is left that could fire. */
  close(): void {
    for (const { name } of this.#nodes) this.kill(name)
  }

  run(ms: number): void {
    this.clock.advance(ms)
  }

  /** Runs until `holds` or for `ms`; answers how long it took, Infinity if it never held. */
  runUntil(holds: () => boolean, ms: number, stepMs = 100): number {
    const began = this.clock.now()
    while (!holds()) {
      if (this.clock.now() - began >= ms) return Infinity
      this.clock.advance(stepMs)
    }
    return this.clock.now() - began
  }

  /** The node that runs under this name. Throws when none does. */
  node(name: string): SimNode {
    const held = this.#nodes.find((one) => one.name === name)
    if (held === undefined) throw new RangeError(`${name} does not run`)
    return held
  }

  /** What a node told, by name of the span, since `since`. */
  spansOf(name: string, span: SpanName, since = 0): EmittedSpan[] {
    return this.#spans.filter((effect) => effect.node === name && effect.span === span && effect.at >= since)
  }

  /** Peer ids of the members that a node sees, itself left out, sorted. */
  members(name: string): string[] {
    const { node, peer } = this.node(name)
    const members = node.view.members().map(({ digest }) => digest.peer)
    return members.filter((member) => member !== peer).sort()
  }

  /** Connections that one node holds to another, as its network shows them. */
  links(name: string, other: string): ConnectionInfo[] {
    const { peer } = this.node(other)
    return this.node(name)
      .network.snapshot()
      .filter((info) => info.peer === peer)
  }

  #tell(name: string, effect: SpanEffect, window: TraceRef | undefined): void {
    const { span, attributes, ref, links = [] } = effect
    const parent = effect.parent === undefined ? window : effect.parent
    const entry: EmittedSpan = {
      node: name,
      at: this.clock.now(),
      span,
      attributes: { ...attributes },
      ref,
      parent,
      links,
    }
    this.#hash.update(`${JSON.stringify(entry)}\n`)
    if (this.#spans.length >= spansMax) this.#spans = this.#spans.slice(spansMax / 2)
    this.#spans.push(entry)
  }

  #forget(held: SimNode): void {
    this.#nodes = this.#nodes.filter((one) => one !== held)
  }
}

/** Throws when a registry holds, or ever held, more than it may: such a run is broken. */
export function requireBounds(name: string, inventory: Inventory): void {
  for (const { name: registry, size, highWaterMark: high, capacity } of inventory.registries)
    if (size > capacity || high > capacity) throw new Error(`${name}: ${registry} held ${high} of ${capacity}`)
}
