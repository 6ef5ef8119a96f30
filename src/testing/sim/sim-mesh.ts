import { createHash } from 'node:crypto'
import type { Role } from '../../catalogue/roles.ts'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import type { SpanName } from '../../catalogue/spans.ts'
import { Driver } from '../../core/driver.ts'
import type { ConnectionInfo } from '../../core/events.ts'
import type { Random } from '../../core/machine.ts'
import { MeshNode, type MeshNodeOptions } from '../../core/mesh-node.ts'
import { type CloseStep, type Inventory, Owner } from '../../core/owner.ts'
import type { TraceRef } from '../../core/trace.ts'
import { seededRandom } from '../random.ts'
import { SpanContract } from '../span-contract.ts'
import type { SimNetwork } from './sim-network.ts'
import { SimWorld, type SimWorldOptions } from './sim-world.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface SimMeshOptions {
  readonly seed: number
  /** Names of the nodes, each with its own address: `addressOf(name)` is valid before and after it runs. */
  readonly names: readonly string[]
  readonly settings?: Partial<NodeSettings>
  readonly latencyMs?: SimWorldOptions['latencyMs']
  /** Called at each start; the observer gets what that process emits. */
  readonly observe?: (process: SimParts) => SimObserver
}

/** What a process of a node consists of, before its driver starts. */
export type SimParts = Omit<SimNode, 'driver'> & { readonly role: Role; readonly meshes: readonly string[] }

export interface SimObserver {
  span(effect: SpanEffect, window: TraceRef | undefined): void
  /** Whenever the node takes its census. */
  census(cause: 'started' | 'periodic', window: TraceRef | undefined): void
}

type NodeSettings = Pick<
  MeshNodeOptions,
  'stalenessMs' | 'sweepMs' | 'digestMs' | 'gossipDigestMs' | 'neighbours' | 'connectionsHigh'
>

export interface SimNodeOptions {
  /** Peer id; by default the name. Another one is a new identity. */
  readonly peer?: string
  readonly role?: Role
  readonly meshes?: readonly string[]
  readonly seeds?: readonly string[]
  /** By default the number of starts of this peer id, as on a persistent node. */
  readonly incarnation?: number
  readonly topics?: readonly string[]
  /** Settings of this node alone. */
  readonly settings?: Partial<NodeSettings>
  /** Whether another process of this identity may run. */
  readonly isCopy?: boolean
  /** Changes the parts of this process before it starts: a planted fault. */
  readonly plant?: (parts: SimParts) => void
}

/** An emitted span, with the virtual time and its node. */
export interface EmittedSpan {
  readonly node: string
  readonly at: number
  readonly span: SpanName
  readonly attributes: Readonly<Record<string, unknown>>
  readonly ref: TraceRef | undefined
  readonly parent: TraceRef | null | undefined
  readonly links: readonly TraceRef[]
  /** Begin in virtual time; undefined for a marker. */
  readonly since: number | undefined
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
  connectionsHigh: 300,
}

/** Spans retained for queries; the hash covers all of them. */
const maxSpans = 200_000

/** Complete nodes, with the state machines and driver of a real one, in a simulated world. One seed is one run. */
export class SimMesh {
  readonly clock = new VirtualClock()
  readonly world: SimWorld
  readonly #options: SimMeshOptions
  readonly #random: Random
  readonly #hash = createHash('sha256')
  readonly #contract = new SpanContract()
  #spans: EmittedSpan[] = []
  /** How many of `#spans` the hash covers: most runs never ask for it. */
  #hashedSpans = 0
  #nodes: readonly SimNode[] = []
  #startedPeers: readonly string[] = []

  constructor(options: SimMeshOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
    const latency = options.latencyMs === undefined ? {} : { latencyMs: options.latencyMs }
    this.world = new SimWorld({ clock: this.clock, random: this.#random, ...latency })
  }

  get spans(): readonly EmittedSpan[] {
    return this.#spans
  }

  /** Hash of every span emitted so far, in order: equal for two runs if and only if their spans are equal. */
  get hash(): string {
    this.#hashSpans()
    return this.#hash.copy().digest('hex')
  }

  /** The running nodes, frozen ones included. */
  get nodes(): readonly SimNode[] {
    return this.#nodes
  }

  addressOf(name: string): string {
    const index = this.#options.names.indexOf(name)
    if (index < 0) throw new RangeError(`unknown name ${name}; the names are ${this.#options.names.join(' ')}`)
    return `/ip4/10.200.${index >> 8}.${index & 255}/udp/4001/quic-v1`
  }

  async start(name: string, options: SimNodeOptions = {}): Promise<SimNode> {
    const { peer = name, role = 'compute', meshes = ['m'], seeds = [], topics = [] } = options
    const addresses = [this.addressOf(name)]
    const incarnation = options.incarnation ?? 1 + this.#startedPeers.filter((one) => one === peer).length
    const network = this.world.addNetwork(peer, { addresses, meshes, isCopy: options.isCopy === true })
    const { clock } = network.process
    const owner = new Owner(name, clock)
    const random = seededRandom(Math.floor(this.#random() * 2 ** 32))
    const settings = { ...defaults, ...this.#options.settings, ...options.settings }
    const identity = { self: peer, name, role, meshes, incarnation, build: 'sim', seeds, random }
    const node = new MeshNode(owner, { ...identity, ...settings })
    const parts = { name, peer, incarnation, node, network, owner, role, meshes }
    options.plant?.(parts)
    const observer = this.#options.observe?.(parts)
    const process = options.isCopy === true ? `${name} ${peer} ${incarnation}` : `${peer} ${incarnation}`
    const driver = new Driver({
      node,
      network,
      clock,
      owner,
      emitSpan: (span, window) => {
        this.#recordSpan(name, process, span, window)
        observer?.span(span, window)
      },
      census: (cause, window) => {
        requireBounds(name, owner.inventory())
        observer?.census(cause, window)
      },
    })
    const simNode: SimNode = { name, peer, incarnation, node, driver, network, owner }
    this.#startedPeers = [...this.#startedPeers, peer]
    this.#nodes = [...this.#nodes, simNode]
    await driver.start([])
    driver.deliver({ type: 'profile', topics, addresses })
    return simNode
  }

  /** SIGTERM: goodbye over gossip and over the links, then a graceful stop within two seconds. Returns its steps. */
  async stop(name: string): Promise<readonly CloseStep[]> {
    const simNode = this.node(name)
    simNode.driver.deliver({ type: 'leaving' })
    this.clock.advance(200)
    simNode.driver.deliver({ type: 'stopping' })
    this.clock.advance(500)
    await simNode.network.stop()
    this.clock.advance(500)
    const steps = await simNode.owner.close()
    this.world.remove(simNode.network)
    this.#removeNode(simNode)
    return steps
  }

  /** SIGKILL: the node stops at once, without a goodbye. */
  kill(name: string): void {
    const simNode = this.node(name)
    this.world.crash(simNode.peer)
    this.#removeNode(simNode)
  }

  /** Ends the run: kills all nodes, so that no timer fires any more. */
  close(): void {
    for (const { name } of this.#nodes) this.kill(name)
  }

  run(ms: number): void {
    this.clock.advance(ms)
  }

  /** Runs until `holds` is true, for `ms` at most; returns the time that took, Infinity if it never was. */
  runUntil(holds: () => boolean, ms: number, stepMs = 100): number {
    const startedAt = this.clock.now()
    while (!holds()) {
      if (this.clock.now() - startedAt >= ms) return Infinity
      this.clock.advance(stepMs)
    }
    return this.clock.now() - startedAt
  }

  /** The running node of this name. Throws if none runs. */
  node(name: string): SimNode {
    const simNode = this.#nodes.find((one) => one.name === name)
    if (simNode === undefined) throw new RangeError(`${name} is not running`)
    return simNode
  }

  /** Spans of a node by name, emitted since `since`. */
  spansOf(name: string, span: SpanName, since = 0): EmittedSpan[] {
    return this.#spans.filter((effect) => effect.node === name && effect.span === span && effect.at >= since)
  }

  /** Peer ids of a node's members without itself, sorted. */
  members(name: string): string[] {
    const { node, peer } = this.node(name)
    const members = node.view.members().map(({ digest }) => digest.peer)
    return members.filter((member) => member !== peer).sort()
  }

  /** Connections of one node to another, from its network's snapshot. */
  links(name: string, other: string): ConnectionInfo[] {
    const { peer } = this.node(other)
    return this.node(name)
      .network.snapshot()
      .filter((info) => info.peer === peer)
  }

  /** Throws when the span is not as declared. */
  #recordSpan(name: string, process: string, effect: SpanEffect, window: TraceRef | undefined): void {
    const { span, attributes, ref, links = [], since } = effect
    const parent = effect.parent === undefined ? window : effect.parent
    const checked = { span, node: process, attributes, ref, parent, links }
    const problems = this.#contract.check(checked)
    if (problems.length > 0) throw new Error(`${name}: ${problems.join('; ')}`)
    this.#contract.add(checked)
    if (this.#spans.length >= maxSpans) this.#dropOldSpans()
    const at = this.clock.now()
    this.#spans.push({ node: name, at, span, attributes: { ...attributes }, ref, parent, links, since })
  }

  #hashSpans(): void {
    for (const span of this.#spans.slice(this.#hashedSpans)) this.#hash.update(`${JSON.stringify(span)}\n`)
    this.#hashedSpans = this.#spans.length
  }

  #dropOldSpans(): void {
    this.#hashSpans()
    this.#spans = this.#spans.slice(maxSpans / 2)
    this.#hashedSpans = this.#spans.length
  }

  #removeNode(simNode: SimNode): void {
    this.#nodes = this.#nodes.filter((one) => one !== simNode)
  }
}

/** Throws when a registry exceeds, or ever exceeded, its capacity: such a run is broken. */
export function requireBounds(name: string, inventory: Inventory): void {
  for (const { name: registry, size, highWaterMark: high, capacity } of inventory.registries)
    if (size > capacity || high > capacity)
      throw new Error(`${name}: ${registry} has held ${high}, its capacity is ${capacity}`)
}
