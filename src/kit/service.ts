import type { PeerStore, PrivateKey, Startable } from '@libp2p/interface'
import type { AddressManager } from '@libp2p/interface-internal'
import { type Tell, tell } from '../catalogue/tell.ts'
import { Driver } from '../core/driver.ts'
import { MeshError } from '../core/errors.ts'
import type { Clock } from '../core/machine.ts'
import { MeshNode } from '../core/mesh-node.ts'
import { type CloseStep, type Inventory, Owner } from '../core/owner.ts'
import { newTrace, type TraceRef } from '../core/trace.ts'
import { logTell } from '../telemetry/log.ts'
import { measuredClock } from '../telemetry/measured-clock.ts'
import { startTelemetry, type Telemetry } from '../telemetry/telemetry.ts'
import { VitalsReader } from '../telemetry/vitals.ts'
import { takeCensus } from './census-taker.ts'
import type { NetworkComponents, PubSub } from './components.ts'
import { type Settled, settle, type TracemeshInit } from './init.ts'
import { Libp2pNetwork } from './libp2p-network.ts'
import { type MessageHandler, type MessageRecord, Messages, type Published, type PublishOptions } from './messages.ts'
import { type RequestHandler, type RequestOptions, Requests } from './requests.ts'
import { crossingSequence, seal } from './seal.ts'
import { version } from './version.ts'
import { type Topology, topologyOf } from './views.ts'

/** What libp2p hands to the mesh service. */
export type TracemeshComponents = NetworkComponents & {
  readonly privateKey: PrivateKey
  readonly addressManager: Pick<AddressManager, 'getAddresses'>
  readonly peerStore: Pick<PeerStore, 'all'>
}

/** What lives from one start to the next stop. */
interface Running {
  readonly owner: Owner
  readonly telemetry: Telemetry
  readonly network: Libp2pNetwork
  readonly node: MeshNode
  readonly driver: Driver
  readonly messages: Messages
  readonly requests: Requests
  readonly startedAt: number
}

/** For links to say goodbye; what has not closed by then is dropped with libp2p’s own stop. */
const goodbyeMs = 800
const flushMs = 2_000

/**
 * A mesh node as a libp2p service. It lives by libp2p’s start and stop, and can be started again after a stop; what is
 * subscribed or answered is then to be said anew.
 */
export class Tracemesh implements Startable {
  readonly #components: TracemeshComponents
  readonly #settled: Settled
  readonly #vitals = new VitalsReader()
  readonly #clock: Clock
  #running: Running | undefined
  #crossings = 0

  constructor(components: TracemeshComponents, init: TracemeshInit) {
    this.#components = components
    this.#settled = settle(init, components.peerId.toString())
    this.#clock = measuredClock(this.#settled.clock, (ms) => this.#vitals.late(ms))
  }

  /** Own peer id. */
  get peer(): string {
    return this.#components.peerId.toString()
  }

  start(): void {}

  /** Only now have the other services started: gossipsub takes no subscription before. */
  async afterStart(): Promise<void> {
    if (this.#running !== undefined) return
    const running = this.#build()
    this.#running = running
    running.messages.start()
    await running.requests.start()
    this.#watchAddresses(running)
    await running.driver.start(this.#settled.settings)
  }

  /** All services stop side by side, so goodbye is said before any of them. */
  async beforeStop(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    running.driver.deliver({ type: 'stopping' })
    const { promise, resolve } = Promise.withResolvers<void>()
    const until = this.#clock.now() + goodbyeMs
    const look = () => {
      if (running.node.ledger.size === 0 || this.#clock.now() >= until) resolve()
      else running.owner.after(20, look)
    }
    look()
    await promise
  }

  async stop(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    const steps = await running.owner.close()
    if (this.#settled.telemetry !== undefined) return
    this.tellStopped(running.telemetry, 'requested', this.#clock.now() - running.startedAt, steps)
    await running.telemetry.close(flushMs)
  }

  /** Sends to all subscribers. Throws MESH_MESSAGE_TOO_LARGE, MESH_SERVICE_MISSING without gossipsub. */
  publish(topic: string, data: Uint8Array, options?: PublishOptions): Promise<Published> {
    return this.#started('publish').messages.publish(topic, data, options)
  }

  /** Returns what ends the subscription. */
  subscribe(topic: string, handler: MessageHandler): () => void {
    return this.#started('subscribe').messages.subscribe(topic, handler)
  }

  /** Asks one peer; resolves with its answer. Throws MESH_NO_LINK or MESH_REQUEST_FAILED. */
  request(peer: string, topic: string, data: Uint8Array, options?: RequestOptions): Promise<Uint8Array> {
    return this.#started('request').requests.request(peer, topic, data, options)
  }

  /** Answers requests; returns what ends it. */
  respond(topic: string, handler: RequestHandler): () => void {
    return this.#started('respond').requests.respond(topic, handler)
  }

  topology(): Topology {
    const { node } = this.#started('topology')
    return topologyOf(this.peer, node.ledger, node.view, this.#clock.now())
  }

  inventory(): Inventory {
    return this.#started('inventory').owner.inventory()
  }

  seeds(): ReturnType<MeshNode['seeds']['seeds']> {
    return this.#started('seeds').node.seeds.seeds()
  }

  /** The last messages, newest last. */
  messages(): MessageRecord[] {
    return this.#started('messages').messages.recent()
  }

  /** Connected peers, guests included. */
  get peers(): number {
    return this.#running?.node.ledger.size ?? 0
  }

  /** For whoever owns the telemetry: the stop with its steps, one trace. `uptimeMs` in milliseconds. */
  tellStopped(telemetry: Telemetry, cause: string, uptimeMs: number, steps: readonly CloseStep[]): void {
    const ref = newTrace(this.#settled.random)
    const stopped = { 'mesh.node.uptime_ms': Math.round(uptimeMs), 'mesh.node.stop_cause': cause }
    this.#say(telemetry, tell('mesh.node.stopped', stopped, { ref, parent: null }), undefined)
    for (const step of steps) {
      const attributes = {
        'mesh.step.name': step.name,
        'mesh.step.duration_ms': Math.round(step.durationMs),
        'mesh.step.error': step.error ?? '',
      }
      this.#say(telemetry, tell('mesh.node.step', attributes, { parent: ref }), undefined)
    }
  }

  #build(): Running {
    const settled = this.#settled
    const { random, messageBytes } = settled
    const clock = this.#clock
    const meshes = settled.bridgeTo === undefined ? [settled.mesh] : [settled.mesh, settled.bridgeTo]
    const owner = new Owner(settled.name, clock)
    const telemetry = settled.telemetry ?? this.#telemetry()
    const say = (told: Tell, window: TraceRef | undefined) => this.#say(telemetry, told, window)
    const pubsub = this.#service<PubSub>(settled.services.pubsub ?? 'pubsub')
    const network = new Libp2pNetwork({
      components: this.#components,
      owner,
      clock,
      meshes,
      identify: this.#identify(),
      pubsub,
      lookup: settled.lookup,
    })
    const node = new MeshNode(owner, {
      ...settled,
      self: this.peer,
      meshes,
      build: `tracemesh/${version}`,
      windowMs: settled.stalenessMs,
      gossipMs: settled.gossipDigestMs,
      peersMax: settled.maxPeers,
    })
    const counted = { owner, clock, random, node, network, components: this.#components, pubsub, telemetry }
    const census = (window: TraceRef | undefined) => {
      takeCensus({ ...counted, vitals: this.#vitals }, window).then(
        (tells) => {
          for (const told of tells) say(told, window)
        },
        (error: unknown) => settled.logger.error({ err: error }, 'the census failed'),
      )
    }
    const driver = new Driver({ node, network, clock, owner, tell: say, census })
    owner.adopt('network', () => network.stop())
    const messages = new Messages({
      self: this.peer,
      owner,
      clock,
      random,
      meshes,
      pubsub,
      messageBytes,
      tell: (told) => say(told, node.window),
      cross: (mesh, crossing) => {
        network.perform({ do: 'forward', mesh, crossing })
        // Gossipsub does not hand a node its own messages, and a bridge carries those too.
        driver.deliver({ type: 'crossing', mesh, crossing })
      },
      seal: (topic, body, trace) => this.#seal(topic, body, trace),
      topicsChanged: () => this.#profile(),
      failed: (topic, error) => settled.logger.error({ err: error, topic }, 'a message handler failed'),
    })
    network.onCrossing((mesh, crossing) => messages.crossed(mesh, crossing))
    const connectionTo = (peer: string) => {
      const id = node.ledger.joined(peer)?.connection
      return this.#components.connectionManager.getConnections().find((connection) => connection.id === id)
    }
    const requests = new Requests({ owner, clock, registrar: this.#components.registrar, connectionTo, messageBytes })
    return { owner, telemetry, network, node, driver, messages, requests, startedAt: clock.now() }
  }

  #telemetry(): Telemetry {
    const { mesh, name, role, incarnation, otlp, provider, logger } = this.#settled
    return startTelemetry({
      clock: this.#clock,
      resource: { meshId: mesh, nodeName: name, role, incarnation, peer: this.peer, version },
      endpoint: otlp,
      logger: (level, message, fields) => logger[level](fields, message),
      ...(provider === undefined ? {} : { provider }),
    })
  }

  #say(telemetry: Telemetry, told: Tell, window: TraceRef | undefined): void {
    logTell(this.#settled.logger, told, telemetry.tell(told, window))
  }

  async #seal(topic: string, body: Uint8Array, trace: TraceRef | undefined) {
    const { mesh, incarnation, messageBytes } = this.#settled
    const sequence = crossingSequence(incarnation, ++this.#crossings)
    const message = { origin: this.peer, originMesh: mesh, sequence, topic, body, ...(trace && { trace }) }
    const sealed = await seal(this.#components.privateKey, message, messageBytes)
    const id = `${this.peer}/${sequence}`
    return { id, origin: this.peer, originMesh: mesh, topic, hops: 0, sealed, ...(trace && { trace }) }
  }

  /** Addresses come to be known after the start, and change with the machine’s networks. */
  #watchAddresses({ owner }: Running): void {
    const { events } = this.#components
    const changed = () => this.#profile()
    events.addEventListener('self:peer:update', changed)
    events.addEventListener('transport:listening', changed)
    owner.adopt('address listener', () => {
      events.removeEventListener('self:peer:update', changed)
      events.removeEventListener('transport:listening', changed)
    })
    this.#profile()
  }

  #profile(): void {
    const running = this.#running
    if (running === undefined) return
    const addresses = this.#components.addressManager.getAddresses().map(String)
    running.driver.deliver({ type: 'profile', topics: running.messages.topics(), addresses })
  }

  #identify(): { identify(connection: unknown): Promise<unknown> } {
    const name = this.#settled.services.identify ?? 'identify'
    const found = this.#service<{ identify(connection: unknown): Promise<unknown> }>(name)
    if (found !== undefined) return found
    const cure = 'add `identify()` of @libp2p/identify to its services; the mesh counts on it for every dial'
    throw new MeshError('MESH_SERVICE_MISSING', { service: name, cure })
  }

  /** Other services are components under their names, once all have been made. */
  #service<S>(name: string): S | undefined {
    try {
      return (this.#components as unknown as Record<string, S | undefined>)[name]
    } catch {
      return undefined
    }
  }

  #started(what: string): Running {
    if (this.#running === undefined) throw new MeshError('MESH_NOT_STARTED', { what })
    return this.#running
  }
}
