import type { SpanEffect } from '../catalogue/span-effect.ts'
import { Driver } from '../core/driver.ts'
import type { Crossing } from '../core/events.ts'
import { isJoined } from '../core/link.ts'
import type { Clock } from '../core/machine.ts'
import { MeshNode, type MeshNodeOptions } from '../core/mesh-node.ts'
import { Owner } from '../core/owner.ts'
import type { TraceRef } from '../core/trace.ts'
import { Census, type CensusCause } from '../evidence/census.ts'
import { ProcessWatch } from '../evidence/process-watch.ts'
import type { VitalsReader } from '../evidence/vitals.ts'
import { idsOf, logSpan } from '../telemetry/log.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { ApplicationRegistries } from './application-registries.ts'
import { censusSources } from './census-sources.ts'
import type { PubSub, TracemeshComponents } from './components.ts'
import { AddressWatch } from './connections/address-watch.ts'
import type { MeshAdmission } from './credentials/mesh-admission.ts'
import { faultyNetwork, faultyProbe, holdsSweep, startFaults, sweepsGossip } from './faults.ts'
import { channelTopics } from './gossip/gossip-channel.ts'
import { GossipHealth } from './gossip/gossip-health.ts'
import { gossipInternals, missingInternals, unknownTables } from './gossip/gossip-internals.ts'
import { meshesOf, type ResolvedOptions } from './init.ts'
import { Libp2pNetwork } from './libp2p-network.ts'
import type { Admission } from './limits/admission.ts'
import { QuicAccepts } from './limits/quic-accepts.ts'
import { connectionCaps } from './limits/resource-caps.ts'
import { ResourceMonitor } from './limits/resource-monitor.ts'
import { Messages } from './messages/messages.ts'
import { RequestSpans, Requests } from './messages/requests.ts'
import { crossingSequence, seal } from './messages/seal.ts'
import { type Dht, removesAllAddresses } from './peer-store/dht-table.ts'
import { PeerStoreSweep } from './peer-store/peer-store-sweep.ts'
import { describeApiCopies, findDht, findPubSub, requireIdentify, unknownParts } from './services.ts'
import { version } from './version.ts'

interface AssemblyOptions {
  readonly components: TracemeshComponents
  readonly config: ResolvedOptions
  /** Higher than at every start before. */
  readonly incarnation: number
  readonly clock: Clock
  readonly vitals: VitalsReader
  readonly telemetry: Telemetry
  /** Counts refusals, and the limits in force. */
  readonly limits: Pick<MeshNodeOptions, 'limitSpans' | 'limitList'>
  readonly limitUsage: () => ReturnType<Admission['usage']> | undefined
  /** Of a closed mesh. */
  readonly admission: MeshAdmission | undefined
  /** Gets every span of this node: the events of the service derive from them. */
  readonly onSpan: (span: SpanEffect) => void
}

/** Milliseconds for the signature of the last digest and its way into the streams. Guess: a hundred times the usual. */
const leaveMs = 200

type EmitSpan = (span: SpanEffect, window?: TraceRef) => void

/** The parts of a running node, wired together: they live from one start to the next stop. */
export class Assembly {
  readonly owner: Owner
  readonly telemetry: Telemetry
  readonly network: Libp2pNetwork
  readonly node: MeshNode
  readonly driver: Driver
  readonly messages: Messages
  readonly requests: Requests
  readonly addresses: AddressWatch
  readonly resources: ResourceMonitor
  readonly processWatch: ProcessWatch
  readonly census: Census
  /** The DHT of libp2p, if the mesh knows it. */
  readonly dht: Dht | undefined
  /** Undefined without js gossipsub. */
  readonly gossipHealth: GossipHealth | undefined
  readonly application: ApplicationRegistries
  readonly startedAt: number
  readonly #options: AssemblyOptions
  readonly #sweep: PeerStoreSweep | undefined
  #publishedCount = 0
  #hasWarnedOfDht = false

  constructor(options: AssemblyOptions) {
    const { components, config, clock } = options
    this.#options = options
    this.startedAt = clock.now()
    this.owner = new Owner(config.name, clock)
    this.telemetry = options.telemetry
    this.resources = this.#createResourceMonitor()
    const pubsub = findPubSub(components, config)
    this.dht = findDht(components, config)
    const meshes = meshesOf(config)
    const network = this.#createNetwork(meshes, pubsub)
    this.network = network
    this.node = this.#createNode(meshes)
    this.gossipHealth = this.#createGossipHealth(pubsub)
    this.application = new ApplicationRegistries(this.owner, clock, (error, registry) =>
      config.logger.error({ ...this.#traceIds(), err: error, registry }, 'a registry of the application failed'),
    )
    this.processWatch = this.#createProcessWatch()
    this.census = this.#createCensus(meshes, pubsub)
    const census = (cause: CensusCause, window: TraceRef | undefined) => void this.takeCensus(cause, window)
    const driverOptions = { node: this.node, network: faultyNetwork(network, config.faults), owner: this.owner }
    const spans = { emitSpan: this.emitSpan, exportsSpans: this.telemetry.exports }
    this.driver = new Driver({ ...driverOptions, clock, ...spans, census })
    this.messages = this.#createMessages(meshes, network, pubsub)
    network.onCrossing((_, crossing) => this.messages.deliverCrossing(crossing))
    this.requests = this.#createRequests()
    this.addresses = this.#createAddressWatch()
    this.#sweep = this.#createSweep()
  }

  /** Emits a span, logs its line, and dispatches its event. */
  readonly emitSpan: EmitSpan = (span, window) => {
    const { config, onSpan } = this.#options
    const ref = this.telemetry.emit(span, window)
    logSpan(config.logger, span, ref)
    onSpan(span)
    if (span.span === 'mesh.leak.suspected') this.processWatch.heap?.suspect('leak-suspected', ref)
  }

  async start(): Promise<void> {
    const { components, config, clock } = this.#options
    this.messages.start()
    await this.requests.start()
    const { faults, logger } = config
    if (config.gossipSweep && sweepsGossip(faults)) this.gossipHealth?.start()
    await this.driver.start([
      ...config.settings,
      ...this.#describePubsub(),
      ...this.#describeLibp2p(),
      ...describeApiCopies(logger),
      ...faults.map((fault) => `fault ${fault}`),
    ])
    this.resources.start()
    const emitSpan = (span: SpanEffect) => this.emitSpan(span, this.node.window)
    const { pendingInbound: handshakes } = connectionCaps(config.connectionsHigh)
    if (config.watchdog) new QuicAccepts({ owner: this.owner, clock, components, handshakes, emitSpan }).start()
    const pubsub = findPubSub(components, config)
    const gossip = this.gossipHealth?.gossip
    startFaults(faults, { owner: this.owner, clock, components, logger, gossip, pubsub })
    this.addresses.start()
    this.application.start()
    this.#sweep?.start()
    this.#deliverProfile()
  }

  /** Says goodbye to the members without a link, before any link closes: gossip travels over links. */
  async leave(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.driver.deliver({ type: 'leaving' })
    const cancel = this.owner.after(leaveMs, resolve)
    this.network.flushGossip().then(resolve, resolve)
    await promise
    cancel()
  }

  /** What of the pubsub the mesh does not know, for `mesh.node.started`; also logged. */
  #describePubsub(): string[] {
    const { components, config } = this.#options
    const pubsub = findPubSub(components, config)
    if (pubsub === undefined) return []
    const missing = missingInternals(pubsub)
    const internals = gossipInternals(pubsub)
    const unknown = internals === undefined ? [] : unknownTables(internals)
    if (missing.length > 0) {
      const text =
        'unknown pubsub implementation: the mesh does not split its RPCs or sweep its tables, and heals only outbound streams that it lost'
      config.logger.warn({ ...idsOf(this.node.window), missing }, text)
      return [`pubsub without ${missing.join(' ')}`]
    }
    if (unknown.length === 0) return []
    config.logger.warn(
      { ...idsOf(this.node.window), unknown },
      'unknown tables of gossipsub: the mesh does not sweep them',
    )
    return [`pubsub tables not swept: ${unknown.join(' ')}`]
  }

  #deliverProfile(): void {
    const addresses = this.addresses.announced()
    this.driver.deliver({ type: 'profile', topics: this.messages.topics(), addresses })
  }

  /** What of libp2p and its DHT the mesh does not know, for `mesh.node.started`; also logged. */
  #describeLibp2p(): readonly string[] {
    const { components, config } = this.#options
    const texts = unknownParts(components, config)
    for (const text of texts) config.logger.warn(idsOf(this.node.window), text)
    return texts
  }

  /** Once the node knows its addresses; the census repeats it. */
  #warnOfUselessDht(): void {
    if (this.#hasWarnedOfDht || !this.#isDhtUseless()) return
    this.#hasWarnedOfDht = true
    const text =
      'the DHT server finds no peer of this network, since its peerInfoMapper removes all addresses of this node: give kadDHT the passthroughMapper'
    this.#options.config.logger.warn(idsOf(this.node.window), text)
  }

  #isDhtUseless(): boolean {
    const { peerId } = this.#options.components
    return this.dht !== undefined && removesAllAddresses(this.dht, peerId, this.addresses.announced())
  }

  #createSweep(): PeerStoreSweep | undefined {
    const { components, clock, config } = this.#options
    const { sweep: mode, peerStoreSweepMs: intervalMs } = config
    if (mode === 'off') return undefined
    const identify = requireIdentify(components, config)
    return new PeerStoreSweep({
      components,
      owner: this.owner,
      clock,
      mode,
      intervalMs,
      dht: this.dht,
      isMember: (peer) => this.node.view.get(peer)?.state === 'member',
      openedBy: (peer) => this.network.openedBy(peer),
      identify: (connection) => identify.identify(connection),
      gossipTopics: () => findPubSub(components, config)?.getTopics?.() ?? [],
      emitSpan: (span) => this.emitSpan(span, this.node.window),
    })
  }

  #createAddressWatch(): AddressWatch {
    const { components, clock } = this.#options
    const memberLinks = () => [...this.node.ledger.records()].flatMap(({ links }) => links.filter(isJoined))
    return new AddressWatch({
      components,
      owner: this.owner,
      clock,
      remotes: () => memberLinks().map(({ info: connectionInfo }) => connectionInfo.address),
      observed: () => this.node.dialBack.observedAddresses,
      onChange: () => {
        this.#deliverProfile()
        this.#warnOfUselessDht()
      },
      onListening: (listening) => this.driver.deliver({ type: 'listening', ...listening }),
      emitSpan: (span) => this.emitSpan(span, this.node.window),
    })
  }

  #createNetwork(meshes: readonly string[], pubsub: PubSub | undefined): Libp2pNetwork {
    const { components, clock, config, admission } = this.#options
    const { owner } = this
    const identify = requireIdentify(components, config)
    const { lookup, connectionsHigh, closes, gossipLimits } = config
    const isJoined = (peer: string) => this.node.ledger.joinedLink(peer) !== undefined
    const onDialFailed = (errorType: string) => this.resources.reportFailure(errorType, 'dial')
    const isOwn = (address: string) => this.addresses.isOwn(address)
    const parts = { owner, clock, meshes, lookup, connectionsHigh, closes, isJoined, gossipLimits, onDialFailed, isOwn }
    const network = new Libp2pNetwork({ components, identify, pubsub, admission, ...parts })
    owner.adopt('network', () => network.stop())
    return network
  }

  #createGossipHealth(pubsub: PubSub | undefined): GossipHealth | undefined {
    const { components, config, clock } = this.#options
    const gossip = pubsub && gossipInternals(pubsub)
    if (gossip === undefined) return undefined
    const emitSpan = (span: SpanEffect) => this.emitSpan(span, this.node.window)
    const onError = (err: unknown) =>
      config.logger.error({ ...idsOf(this.node.window), err }, 'a sweep of gossipsub’s tables failed')
    const { connectionManager } = components
    const shared = { limitSpans: this.#options.limits.limitSpans, grudges: this.node.ledger.grudges }
    return new GossipHealth({ gossip, owner: this.owner, clock, connectionManager, emitSpan, onError, ...shared })
  }

  #createNode(meshes: readonly string[]): MeshNode {
    const { components, config, incarnation, admission } = this.#options
    return new MeshNode(this.owner, {
      ...config,
      admission: admission?.rules,
      credentials: () => admission?.tokens ?? [],
      findFlaw: (credential, claim) => admission?.checker.findFlaw(credential, claim),
      ...this.#options.limits,
      incarnation,
      self: components.peerId.toString(),
      meshes,
      build: `tracemesh/${version}`,
      holdsSweep: holdsSweep(config.faults),
    })
  }

  #createMessages(meshes: readonly string[], network: Libp2pNetwork, pubsub: PubSub | undefined): Messages {
    const { components, config, incarnation, clock } = this.#options
    const { random, messageBytes, logger } = config
    return new Messages({
      self: components.peerId.toString(),
      owner: this.owner,
      clock,
      random,
      meshes,
      pubsub,
      messageBytes,
      isMember: (peer) => this.node.view.get(peer)?.state === 'member',
      waitUntilReachable: (signal) => network.waitUntilReachable(signal),
      emitSpan: (span) => this.emitSpan(span, this.node.window),
      exportsSpans: this.telemetry.exports,
      sendCrossing: (mesh, crossing) => {
        network.perform({ do: 'forward', mesh, crossing })
        // Gossipsub does not deliver a node its own messages, and a bridge forwards those too.
        this.driver.deliver({ type: 'crossing', mesh, crossing })
      },
      nextSequence: () => crossingSequence(incarnation, ++this.#publishedCount),
      seal: (topic, body, sequence, trace) => this.#sealMessage(topic, body, sequence, trace),
      onTopicsChange: () => this.#deliverProfile(),
      onHandlerError: ({ topic, from, trace }, error) =>
        logger.error({ ...this.#traceIds(trace), err: error, topic, peer: from }, 'a message handler failed'),
      onUnreadable: (topic, peer, error) =>
        logger.warn({ ...this.#traceIds(), err: error, topic, peer }, 'a message could not be read'),
    })
  }

  #createResourceMonitor(): ResourceMonitor {
    const { components, config, clock } = this.#options
    const { random, faults } = config
    const emitSpan = (span: SpanEffect) => this.emitSpan(span, this.node.window)
    return new ResourceMonitor({ owner: this.owner, clock, random, components, emitSpan, probe: faultyProbe(faults) })
  }

  #createRequests(): Requests {
    const { components, clock, config } = this.#options
    const { connectionManager, registrar } = components
    const connectionTo = (peer: string) => {
      const id = this.node.ledger.joinedLink(peer)?.connection
      return connectionManager.getConnections().find((connection) => connection.id === id)
    }
    const isMember = (peer: string) => this.node.ledger.get(peer)?.links.some(({ kind }) => kind === 'member') === true
    const { messageBytes, random, logger } = config
    const emitSpan = (span: SpanEffect) => this.emitSpan(span, this.node.window)
    return new Requests({
      owner: this.owner,
      clock,
      registrar,
      connectionTo,
      isMember,
      messageBytes,
      spans: new RequestSpans({ clock, random, emitSpan, exportsSpans: this.telemetry.exports }),
      onSlow: (connection, protocol, waitedMs) =>
        this.driver.deliver({ type: 'stream.slow', connection, protocol, waitedMs }),
      onHandlerError: ({ topic, from, trace }, error) =>
        logger.error({ ...this.#traceIds(trace), err: error, topic, peer: from }, 'a request handler failed'),
    })
  }

  #createProcessWatch(): ProcessWatch {
    const { config, clock, vitals } = this.#options
    const { timers, heapSites, logger } = config
    const emitSpan = (span: SpanEffect) => this.emitSpan(span, this.node.window)
    const onError = (error: unknown) => logger.error({ ...this.#traceIds(), err: error }, 'sampling the heap failed')
    return new ProcessWatch({ owner: this.owner, clock, vitals, timers, heapSites, emitSpan, onError })
  }

  /** Ids for a log line: those of `trace`, else of the node's window. */
  #traceIds(trace?: TraceRef): ReturnType<typeof idsOf> {
    return idsOf(trace ?? this.node.window)
  }

  #createCensus(meshes: readonly string[], pubsub: PubSub | undefined): Census {
    const { components, config, clock, limitUsage } = this.#options
    const { owner, node, network, gossipHealth, telemetry, application } = this
    const wall = () => clock.wall()
    const meshTopics = () => [...channelTopics(meshes), ...this.messages.gossipTopics()]
    const dht = this.dht && { table: this.dht.routingTable, isUseless: () => this.#isDhtUseless() }
    const layers = { owner, node, network, components, pubsub, dht, gossipHealth, telemetry, application }
    const peerStore = (now: number) => this.#sweep?.evidence(now) ?? {}
    const sources = censusSources({ ...layers, limitUsage, peerStore, process: this.processWatch, meshTopics, wall })
    return new Census({ sources, clock, random: config.random })
  }

  /** Counts what every layer holds, and emits the counts. */
  async takeCensus(cause: CensusCause, window: TraceRef | undefined): Promise<void> {
    try {
      for (const span of await this.census.take(cause, window)) this.emitSpan(span, window)
    } catch (error) {
      this.#options.config.logger.error({ ...idsOf(window), err: error }, 'the census failed')
    }
  }

  async #sealMessage(
    topic: string,
    body: Uint8Array,
    sequence: bigint,
    trace: TraceRef | undefined,
  ): Promise<Crossing> {
    const { components, config } = this.#options
    const origin = components.peerId.toString()
    const traceFields = trace === undefined ? {} : { trace }
    const message = { origin, originMesh: config.mesh, sequence, topic, body, ...traceFields }
    const sealed = await seal(components.privateKey, message, config.messageBytes)
    return { id: `${origin}/${sequence}`, origin, originMesh: config.mesh, topic, hops: 0, sealed, ...traceFields }
  }
}
