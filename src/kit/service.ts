import { type Startable, serviceCapabilities, serviceDependencies } from '@libp2p/interface'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import { MeshError } from '../core/errors.ts'
import { LimitSpans, type RefusalDetail } from '../core/limit-spans.ts'
import { type LimitName, limits } from '../core/limits.ts'
import type { Clock } from '../core/machine.ts'
import type { OwnAddress } from '../core/own-addresses.ts'
import { type Inventory, Owner } from '../core/owner.ts'
import type { SeedView } from '../core/seed-dialler.ts'
import type { LimitAction } from '../core/spans/node.ts'
import { newTrace } from '../core/trace.ts'
import type { TimerReader } from '../evidence/timers.ts'
import { measuredClock, VitalsReader } from '../evidence/vitals.ts'
import { logSpan } from '../telemetry/log.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { ApplicationRegistry, RegistryOptions, WatchOptions } from './application-registries.ts'
import { Assembly } from './assembly.ts'
import type { TracemeshComponents } from './components.ts'
import { closeLimitMs, linkProtocol } from './connections/link-streams.ts'
import { type StreamInfo, streamsOf } from './connections/stream-views.ts'
import type { MeshAdmission } from './credentials/mesh-admission.ts'
import { faultyClock } from './faults.ts'
import { nextIncarnation } from './incarnation.ts'
import { type InternalInit, meshesOf, type ResolvedOptions, resolveOptions, validateInternalInit } from './init.ts'
import { libp2pLogger } from './libp2p-logger.ts'
import type { NetworkCounts } from './libp2p-network.ts'
import { Admission, type ResourceCaps } from './limits/admission.ts'
import { listLimits, resourceCaps } from './limits/resource-caps.ts'
import { MeshEvents } from './mesh-events.ts'
import type { MessageHandler, MessageRecord, Published, PublishOptions, SubscribeOptions } from './messages/messages.ts'
import type { RequestHandler, RequestOptions } from './messages/requests.ts'
import { startOwnTelemetry } from './own-telemetry.ts'
import { recordKeys } from './peer-store/peer-store-records.ts'
import { checkPubSubService, hasIdentify, requireIdentify } from './services.ts'
import { type Closing, heldBy, type StopReport, stopAccount, stopSpans } from './stop-report.ts'
import type { Tracemesh } from './tracemesh.ts'
import { type Topology, topologyOf } from './views.ts'

/**
 * Milliseconds for links to say goodbye: a little more than `closeLimitMs`, after which a close is aborted. libp2p’s
 * own stop drops the connections that are still open then.
 */
const goodbyeMs = closeLimitMs + 100

/**
 * Milliseconds for the flush of its own telemetry, with which libp2p waits: what is left of two seconds for the whole
 * stop, and at least some time, so that a slow stop is exported where there is a receiver.
 */
function flushMs(tookMs: number): number {
  return Math.max(300, 1_900 - tookMs)
}

/** Protocols by which peers say who they are, before anything else. */
const identifyProtocols = ['/ipfs/id/1.0.0', '/ipfs/id/push/1.0.0']

/** The mesh service. libp2p starts and stops it, and may start it again after a stop. */
export class TracemeshService extends MeshEvents implements Tracemesh, Startable {
  readonly #components: TracemeshComponents
  readonly #config: ResolvedOptions
  readonly #caps: ResourceCaps
  readonly #vitals = new VitalsReader()
  readonly #clock: Clock
  /** Owns the checks of `start`, until the assembly exists. */
  #startOwner: Owner | undefined
  /** Owns the admission, from before libp2p listens until the stop. */
  #admissionOwner: Owner | undefined
  #admission: Admission | undefined
  #closedOwner: Owner | undefined
  /** Who may join; undefined for an open mesh. */
  #closed: MeshAdmission | undefined
  #limitSpans = new LimitSpans()
  #running: Assembly | undefined
  /** The parts of the last stop, for its census. */
  #stopped: Assembly | undefined
  #incarnation = 0
  #stopCount = 0
  /** The last stop, from its begin. */
  #stopping: { readonly owner: Owner; readonly planned: readonly string[]; readonly stopBegan: number } | undefined

  readonly [Symbol.toStringTag] = 'tracemesh'
  readonly [serviceCapabilities]: string[] = ['@tracemesh/mesh']

  constructor(components: TracemeshComponents, init: InternalInit) {
    super((event, error) => this.#config.logger.error({ err: error, event }, 'an event listener failed'))
    this.#components = components
    const logger = components.logger && libp2pLogger(components.logger)
    this.#config = resolveOptions(init, components.peerId.toString(), logger)
    this.#caps = resourceCaps(init)
    const { clock, faults } = this.#config
    this.#clock = measuredClock(faultyClock(clock, faults), (ms) => this.#vitals.recordTimerDelay(ms))
  }

  /** What libp2p requires of the other services. An identify service of the application may not declare itself. */
  get [serviceDependencies](): string[] {
    return hasIdentify(this.#components, this.#config) ? [] : ['@libp2p/identify']
  }

  get peer(): string {
    return this.#components.peerId.toString()
  }

  /** Before another service learns of a connection. */
  async beforeStart(): Promise<void> {
    const { admission, name, connectionsHigh, logger } = this.#config
    if (admission === undefined || admission.mode === 'open') return
    const { registrar, events } = this.#components
    const owner = new Owner(`${name}/admission`, this.#config.clock)
    this.#closedOwner = owner
    // Its library is loaded for a closed mesh alone.
    const { MeshAdmission } = await import('./credentials/mesh-admission.ts')
    this.#closed = new MeshAdmission({
      ...admission,
      owner,
      clock: this.#clock,
      registrar,
      events,
      meshes: meshesOf(this.#config),
      freeProtocols: [...identifyProtocols, linkProtocol],
      capacity: connectionsHigh + limits.relayedPeers,
      onChecked: (hasChanged) => this.#running?.driver.deliver({ type: 'trust.checked', hasChanged }),
      onError: (message) => logger.error({ err: message }, 'credentials could not be read; those of before stay'),
    })
    await this.#closed.start()
  }

  /**
   * Throws MESH_SERVICE_MISSING without identify, and MESH_PUBSUB_UNUSABLE if gossip would reach no peer. It checks
   * here, before libp2p listens: libp2p would not stop listening after an error.
   */
  async start(): Promise<void> {
    requireIdentify(this.#components, this.#config)
    const owner = new Owner(`${this.#config.name}/start`, this.#config.clock)
    this.#startOwner = owner
    try {
      await checkPubSubService(this.#components, this.#config, owner)
    } finally {
      await owner.close()
    }
    this.#startAdmission()
  }

  #startAdmission(): void {
    const { name, maxPeers, logger } = this.#config
    if (maxPeers !== undefined)
      logger.warn('the option maxPeers is now connectionsHigh; the next version refuses the former name')
    const owner = new Owner(`${name}/limits`, this.#config.clock)
    this.#limitSpans = new LimitSpans()
    this.#admissionOwner = owner
    this.#admission = new Admission({
      components: this.#components,
      caps: this.#caps,
      owner,
      clock: this.#clock,
      onRefused: (...refusal) => this.#onRefused(...refusal),
      onUnknownLibp2p: () =>
        logger.warn('unknown version of libp2p: the node does not limit its streams and the connections of a peer'),
    })
    this.#admission.start()
  }

  #onRefused(limit: LimitName, action: LimitAction, detail: RefusalDetail): void {
    const spans = this.#limitSpans.emit(limit, action, this.#clock.now(), detail)
    for (const span of spans) this.#running?.emitSpan(span, this.#running.node.window)
  }

  /** Runs after the other services have started: gossipsub accepts no subscription before its start. */
  async afterStart(): Promise<void> {
    if (this.#running !== undefined) return
    this.#incarnation = nextIncarnation(this.#config, this.#incarnation, this.#clock.wall())
    const options = { config: this.#config, incarnation: this.#incarnation, clock: this.#clock }
    const stopsBefore = this.#stopCount
    const telemetry = this.#config.telemetry ?? (await startOwnTelemetry({ ...options, peer: this.peer }))
    // If another service fails to start, libp2p stops all services without waiting for this one.
    if (stopsBefore !== this.#stopCount) {
      if (this.#config.telemetry === undefined) void telemetry.close(0)
      return
    }
    const onSpan = (span: SpanEffect) => this.dispatchOf(span)
    const limitParts = { limitSpans: this.#limitSpans, limitList: listLimits(this.#config, this.#caps) }
    const limitUsage = () => this.limitUsage()
    const own = { vitals: this.#vitals, telemetry, onSpan, limits: limitParts, limitUsage, admission: this.#closed }
    const parts = { components: this.#components, ...own }
    this.#running = new Assembly({ ...options, ...parts })
    await this.#running.start()
  }

  /** libp2p stops all services in parallel, so the node says goodbye before any of them stops. */
  async beforeStop(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#planStop(running)
    await running.leave()
    const areClosed = running.driver.waitFor(() => running.node.ledger.size === 0, goodbyeMs)
    running.driver.deliver({ type: 'stopping' })
    await areClosed
  }

  async stop(): Promise<void> {
    this.#stopCount++
    await this.#startOwner?.close()
    await this.#admissionOwner?.close()
    await this.#closedOwner?.close()
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    this.#stopped = running
    const { stopBegan } = this.#planStop(running)
    await running.owner.close()
    if (this.#config.telemetry !== undefined) return
    const now = this.#clock.now()
    const account = stopAccount(this.closing)
    const times = { uptimeMs: now - running.startedAt, tookMs: now - stopBegan }
    await this.emitStopped(running.telemetry, { cause: 'requested', ...times, ...account, left: [] })
    await running.telemetry.close(flushMs(this.#clock.now() - stopBegan))
  }

  /**
   * Stops what a failed stop of libp2p may have left: libp2p stops no service when the `beforeStop` of one fails, and waits
   * for each without a limit. Aborts all connections first. The caller bounds the wait.
   */
  async forceStop(): Promise<void> {
    const { connectionManager, transportManager } = this.#components
    const error = new Error('libp2p did not stop in order')
    for (const connection of connectionManager.getConnections()) connection.abort(error)
    const listeners = transportManager.getListeners()
    // As an object of libp2p it stops all services, this one included.
    const all: Partial<Startable> = this.#components as object
    await Promise.allSettled([all.stop?.(), this.stop(), ...listeners.map((listener) => listener.close())])
  }

  /** Notes what there is to close, at the first call of a stop. */
  #planStop({ owner }: Assembly): { readonly stopBegan: number } {
    if (this.#stopping?.owner !== owner)
      this.#stopping = { owner, planned: owner.plannedSteps(), stopBegan: this.#clock.now() }
    return this.#stopping
  }

  async publish(topic: string, data: Uint8Array, options?: PublishOptions): Promise<Published> {
    return this.#requireRunning('publish').messages.publish(topic, data, options)
  }

  subscribe(topic: string, handler: MessageHandler, options?: SubscribeOptions): () => void {
    return this.#requireRunning('subscribe').messages.subscribe(topic, handler, options)
  }

  async request(peer: string, topic: string, data: Uint8Array, options?: RequestOptions): Promise<Uint8Array> {
    return this.#requireRunning('request').requests.request(peer, topic, data, options)
  }

  respond(topic: string, handler: RequestHandler): () => void {
    return this.#requireRunning('respond').requests.respond(topic, handler)
  }

  registry<K, V extends {}>(name: string, options: RegistryOptions<K, V>): ApplicationRegistry<K, V> {
    return this.#requireRunning('registry').application.registry(name, options)
  }

  watch(name: string, size: () => number, options?: WatchOptions): () => void {
    return this.#requireRunning('watch').application.watch(name, size, options)
  }

  /** Current own addresses, with those that the node does not announce and the reason. */
  ownAddresses(): readonly OwnAddress[] {
    return this.#requireRunning('ownAddresses').addresses.addresses
  }

  addresses(): readonly string[] {
    const { addresses } = this.#requireRunning('addresses')
    return addresses.announced(addresses.addresses)
  }

  topology(): Topology {
    const { node } = this.#requireRunning('topology')
    const own = this.ownAddresses()
    return topologyOf(this.peer, own, node.ledger, node.view, this.#clock.now())
  }

  inventory(): Inventory {
    return this.#requireRunning('inventory').owner.inventory()
  }

  /** Sizes for a status line; `dhtTable` is 0 without a DHT. */
  async status(): Promise<{ connected: number; peerStore: number; dhtTable: number; resources: number }> {
    const { owner, dht } = this.#requireRunning('status')
    const { connectionManager, datastore, peerId } = this.#components
    const peers = new Set(connectionManager.getConnections().map(({ remotePeer }) => remotePeer.toString()))
    const { registries, resources } = owner.inventory()
    return {
      connected: peers.size,
      peerStore: (await recordKeys(datastore, peerId)).length,
      dhtTable: dht?.routingTable.size ?? 0,
      resources: registries.length + resources.length,
    }
  }

  /** Frames of the link streams so far, by type and direction, and the refused ones. */
  frames(): NetworkCounts | undefined {
    return this.#requireRunning('frames').network.counters()
  }

  /** The open streams of all connections, the oldest first. */
  streams(): StreamInfo[] {
    this.#requireRunning('streams')
    return streamsOf(this.#components.connectionManager.getConnections(), this.#clock.wall())
  }

  /** Counts the timers of this process, if the caller passed it. */
  get timers(): TimerReader | undefined {
    return this.#config.timers
  }

  /** The configured seeds and the state of each campaign. */
  seeds(): SeedView[] {
    return this.#requireRunning('seeds').node.seeds.seeds()
  }

  /** The last messages, newest last. */
  messages(): MessageRecord[] {
    return this.#requireRunning('messages').messages.recent()
  }

  /** Connections, dials, streams and bytes in the scopes of the limits; undefined before the start. */
  limitUsage(): ReturnType<Admission['usage']> | undefined {
    return this.#admission?.usage()
  }

  /** Refusals since the start, by limit. */
  limitCounts(): LimitSpans['counts'] {
    return this.#limitSpans.counts
  }

  get peers(): number {
    return this.#running?.node.ledger.size ?? 0
  }

  /** What the last stop was to close, closed and still holds; the owner of the telemetry emits it with its own. */
  get closing(): Closing {
    const { owner, planned = [] } = this.#stopping ?? {}
    return { planned, steps: owner?.closeSteps ?? [], held: owner === undefined ? [] : heldBy(owner) }
  }

  /** Open connections and listeners of libp2p, for the report of a stop. */
  heldByLibp2p(): readonly string[] {
    const { connectionManager, transportManager } = this.#components
    return [
      ...connectionManager.getConnections().map(({ remotePeer }) => `libp2p connection to ${remotePeer}`),
      ...transportManager.getListeners().map((listener) => `libp2p listener at ${listener.getAddrs().join(', ')}`),
    ]
  }

  /** Emits a stop, its steps and the last census as one trace, for the owner of the telemetry. */
  async emitStopped(telemetry: Telemetry, report: StopReport): Promise<void> {
    const { random, logger } = this.#config
    const ref = newTrace(random)
    for (const span of stopSpans(ref, report)) logSpan(logger, span, telemetry.emit(span, undefined))
    await this.#stopped?.takeCensus('stopped', ref)
    this.#stopped = undefined
  }

  #requireRunning(what: string): Assembly {
    if (this.#running === undefined) throw new MeshError('MESH_NOT_STARTED', { what })
    return this.#running
  }
}

/**
 * The mesh service for the code of this repository, with options and methods that applications do not have. The package
 * does not export it. Throws MESH_CONFIG_INVALID.
 */
export function tracemeshInternal(init: InternalInit = {}): (components: TracemeshComponents) => TracemeshService {
  const options = validateInternalInit(init)
  return (components) => new TracemeshService(components, options)
}
