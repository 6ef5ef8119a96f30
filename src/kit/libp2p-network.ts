import type { Connection, IdentifyResult, PeerId } from '@libp2p/interface'
import type { ConnectionInfo, Network, NetworkEffect, NetworkEvent } from '../core/events.ts'
import type { Clock } from '../core/machine.ts'
import type { Owner } from '../core/owner.ts'
import type { NetworkComponents, PubSub } from './components.ts'
import { type ConnectionOwner, type ConnectionRecord, Connections } from './connections/connections.ts'
import {
  closeGracefully,
  endLink,
  type FrameCounters,
  LinkStreams,
  type LinkStreamsOptions,
  linkProtocol,
} from './connections/link-streams.ts'
import { opensStream } from './connections/stream-check.ts'
import type { MeshAdmission } from './credentials/mesh-admission.ts'
import { dialBackInTime, ExpectedProbes } from './dials/dial-back.ts'
import { Dialler } from './dials/dialler.ts'
import { digestTopic, GossipChannel } from './gossip/gossip-channel.ts'
import { gossipInternals } from './gossip/gossip-internals.ts'
import { GossipStreams, gossipPrefix, unsentReporter } from './gossip/gossip-streams.ts'
import { GossipWait } from './gossip/gossip-wait.ts'
import { type AgentLimit, rpcLimit, smallestLimit } from './gossip/rpc-size.ts'
import type { OpenedCrossing } from './messages/seal.ts'
import { type Lookup, systemLookup } from './multiaddrs.ts'

export interface Libp2pNetworkOptions {
  readonly components: NetworkComponents
  readonly owner: Owner
  readonly clock: Clock
  /** Meshes of this node. */
  readonly meshes: readonly string[]
  /** The node's identify service. */
  readonly identify: { identify(connection: Connection): Promise<unknown> }
  /** Maximum of connected peers; `limits.peers` by default. */
  readonly connectionsHigh?: number
  /** Its gossipsub, if it has one. */
  readonly pubsub?: PubSub | undefined
  /** Whether a peer is a member with a joined link; messages wait for no other. */
  readonly isJoined?: ((peer: string) => boolean) | undefined
  /** Connections it may close: all by default, or only those that its own dialler opened. */
  readonly closes?: 'own' | 'all' | undefined
  /** Whether this node itself listens at a multiaddr: it dials no member there. */
  readonly isOwn?: ((address: string) => boolean) | undefined
  /** RPC limits of some agents, where the defaults of `rpc-size.ts` are wrong. */
  readonly gossipLimits?: readonly AgentLimit[] | undefined
  /** Resolves the names of seeds; the system's resolver by default. */
  readonly lookup?: Lookup | undefined
  /** The closed mesh of this node, unless its mesh is open. */
  readonly admission?: Pick<MeshAdmission, 'admit' | 'proofOfFrame' | 'tokens' | 'admitsSigner'> | undefined
  /** Called with `error.type` for each address whose dial failed. */
  readonly onDialFailed?: ((errorType: string) => void) | undefined
}

export interface NetworkCounts {
  readonly frames: FrameCounters['byType']
  /** Refused frames: each ended its stream. */
  readonly framesRefused: number
  /** Frames not sent for lack of a stream. */
  readonly framesDropped: number
  readonly gossipRefused: number
  readonly gossipUnpublished: number
  /** Crossings that arrived faster than the node could verify their seals. */
  readonly crossingsDropped: number
}

/** Poll interval and time limit while gossipsub lacks a stream; later the ledger’s own rounds check it. */
const gossipPollMs = 200
const gossipPollLimitMs = 15_000

/**
 * Up to this number of connections every change leads to a snapshot at once; with more the node waits a millisecond per
 * four connections between two, since a snapshot takes some 20 µs per connection (measured): at most a tenth of its time.
 */
const promptConnections = 32
const connectionsPerPauseMs = 4

/** State between a start and its stop. */
interface Running {
  readonly owner: Owner
  readonly connections: Connections
  readonly links: LinkStreams
  readonly dialler: Dialler
  readonly gossip: GossipChannel | undefined
  readonly wait: GossipWait
  readonly probes: ExpectedProbes
  readonly streams: GossipStreams | undefined
}

/**
 * The mesh's network on libp2p. Start it after gossipsub (`afterStart` of a libp2p service), since it subscribes. It
 * delivers every event from a new turn or from a libp2p event, never from within `perform`.
 */
export class Libp2pNetwork implements Network {
  readonly self: string
  readonly #options: Libp2pNetworkOptions
  #running: Running | undefined
  #deliver: (event: NetworkEvent) => void = () => {}
  #onCrossing: (mesh: string, crossing: OpenedCrossing) => void = () => {}
  #isChangeQueued = false
  /** Time from which a change leads to the next snapshot. */
  #snapshotAfter = -Infinity
  #isPollScheduled = false

  constructor(options: Libp2pNetworkOptions) {
    this.self = options.components.peerId.toString()
    this.#options = options
  }

  async start(deliver: (event: NetworkEvent) => void): Promise<void> {
    if (this.#running !== undefined) return
    const { clock, components, meshes, pubsub, connectionsHigh, lookup = systemLookup, closes } = this.#options
    const owner = this.#options.owner.child('network')
    const deliverIfOpen = (event: NetworkEvent) => {
      if (!owner.closed) deliver(event)
    }
    const { gossipLimits, onDialFailed, isOwn = () => false, isJoined = () => true, admission } = this.#options
    const internals = pubsub && gossipInternals(pubsub)
    const streams =
      internals &&
      new GossipStreams({
        gossip: internals,
        owner,
        clock,
        limitOf: (peer) => rpcLimit(connections.agentOf(peer), gossipLimits),
        smallestLimit: smallestLimit(gossipLimits),
        onUnsent: unsentReporter(owner, deliverIfOpen),
        onChange: () => this.#pollGossip(owner),
        onSlow: (connection, waitedMs) =>
          deliverIfOpen({ type: 'stream.slow', connection, protocol: gossipPrefix, waitedMs }),
      })
    const gossipOptions = pubsub && { pubsub, topics: meshes.map(digestTopic), streams }
    const probes = new ExpectedProbes(owner)
    // The annotation ends a circular inference, which the TypeScript of TypeDoc (`npm run docs`) refuses.
    const connections: Connections = new Connections(
      components,
      owner,
      clock,
      gossipOptions,
      connectionsHigh,
      probes,
      closes,
    )
    const onCrossing = (mesh: string, crossing: OpenedCrossing) => this.#onCrossing(mesh, crossing)
    const sharedOptions = { components, owner, clock, connections, deliver: deliverIfOpen }
    const prove: LinkStreamsOptions['prove'] = admission && ((...frame) => admission.proofOfFrame(...frame))
    const links = new LinkStreams({ ...sharedOptions, prove })
    const dialler = new Dialler({
      ...sharedOptions,
      lookup,
      isOwn,
      onFailure: ({ type }) => onDialFailed?.(type),
      yieldsToApp: closes === 'own',
      leaveToApp: (record) => this.#leaveToApp(record, false, owner),
    })
    const gossip =
      pubsub && new GossipChannel({ pubsub, owner, clock, meshes, deliver: deliverIfOpen, onCrossing, admission })
    this.#deliver = deliverIfOpen
    const wait = new GossipWait({ connections, owner, clock, isJoined })
    this.#running = { owner, connections, links, dialler, gossip, wait, streams, probes }
    this.#listenToLibp2p(owner, connections)
    streams?.start()
    gossip?.start()
    await links.start()
    this.#queueChange()
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.owner.close()
  }

  snapshot(): readonly ConnectionInfo[] {
    return this.#running?.connections.connectionInfos() ?? []
  }

  observe(): readonly ConnectionInfo[] {
    if (this.#running === undefined || this.#running.owner.closed) return this.snapshot()
    const { connections, streams, owner } = this.#running
    const infos = connections.observe()
    // Another pubsub has no event for a stream that opens or ends.
    if (streams === undefined && connections.lackingGossip(gossipPollLimitMs).length > 0) this.#pollGossip(owner)
    const pauseMs = infos.length <= promptConnections ? 0 : infos.length / connectionsPerPauseMs
    this.#snapshotAfter = this.#options.clock.now() + pauseMs
    return infos
  }

  /** Resolves when gossipsub can reach all newly linked members; usually at once, see `GossipWait`. */
  async waitUntilReachable(signal?: AbortSignal): Promise<void> {
    await this.#running?.wait.waitUntilReachable(signal)
  }

  /** Resolves once gossipsub has sent the digests so far. */
  async flushGossip(): Promise<void> {
    await this.#running?.gossip?.flush()
  }

  perform(effect: NetworkEffect): void {
    const running = this.#running
    if (running === undefined || running.owner.closed) return
    try {
      this.#perform(running, effect)
    } catch {
      // A failed effect shows in the next snapshot, or as a missing answer.
    }
  }

  /** Sets the one listener for crossings with a valid seal; `mesh` is the own mesh that delivered it. */
  onCrossing(listener: (mesh: string, crossing: OpenedCrossing) => void): void {
    this.#onCrossing = listener
  }

  /** Whether the mesh has left this connection to the application. */
  isLeftToApp(connection: string): boolean {
    return this.#running?.connections.isLeftToApp(connection) === true
  }

  /** Who opened the connections to a peer, when the last one closes. */
  openedBy(peer: PeerId): ConnectionOwner {
    return this.#running?.connections.openedBy(peer) ?? 'peer'
  }

  counters(): NetworkCounts | undefined {
    const running = this.#running
    if (running === undefined) return undefined
    const { byType, refused, dropped } = running.links.counters
    const gossip = running.gossip?.counts
    return {
      frames: byType,
      framesRefused: refused,
      framesDropped: dropped,
      gossipRefused: gossip?.refused ?? 0,
      gossipUnpublished: gossip?.unpublished ?? 0,
      crossingsDropped: gossip?.dropped ?? 0,
    }
  }

  #perform(running: Running, effect: NetworkEffect): void {
    const { links, dialler, gossip, connections, probes, owner } = running
    switch (effect.do) {
      case 'dial.seed':
        dialler.dialSeed(effect)
        break
      case 'dial.peer':
        dialler.dialPeer(effect)
        break
      case 'dial.back':
        this.#dialBack(effect, owner)
        break
      case 'open':
        links.open(effect.connection)
        break
      case 'send':
        if (effect.frame.type === 'dialback.request') probes.expect(effect.frame.request.nonce)
        links.send(effect.connection, effect.frame)
        break
      case 'close': {
        const record = connections.find(effect.connection)
        if (record === undefined) break
        const isUninvited = effect.isRefused === true && record.connection.direction === 'inbound'
        if (!connections.mayClose(record) && !isUninvited) this.#leaveToApp(record, effect.abort, owner)
        else if (effect.abort) record.connection.abort(new Error('the mesh aborted this connection'))
        else closeGracefully(record, owner, this.#options.clock)
        break
      }
      case 'heal':
        this.#heal(running, effect)
        break
      case 'identify':
        this.#identify(connections.find(effect.connection)?.connection)
        break
      case 'admit':
        this.#options.admission?.admit(effect.peer)
        break
      case 'check':
        this.#check(running, effect)
        break
      case 'gossip':
        gossip?.digest(effect.mesh, effect.digest)
        break
      case 'forward':
        gossip?.publishCrossing(effect.mesh, effect.crossing)
        break
    }
  }

  #check({ connections, owner }: Running, { connection: id, limitMs }: Extract<NetworkEffect, { do: 'check' }>): void {
    const connection = connections.find(id)?.connection
    if (connection === undefined) return
    void opensStream(connection, owner, limitMs).then((hasOpened) =>
      this.#deliver({ type: 'stream.checked', connection: id, hasOpened }),
    )
  }

  #dialBack({ nonce, peer, address, limitMs }: Extract<NetworkEffect, { do: 'dial.back' }>, owner: Owner): void {
    void dialBackInTime({ nonce, peer, address, limitMs, owner }, this.#options.clock).then((errorType) =>
      this.#deliver({ type: 'dialled.back', nonce, errorType }),
    )
  }

  /** Ends only the link stream of a connection that the application uses. The ledger sees the connection as closed. */
  #leaveToApp(record: ConnectionRecord, abort: boolean, owner: Owner): void {
    if (record.isLeftToApp) return
    record.isLeftToApp = true
    record.isUnresponsive = abort
    const error = new Error('the mesh no longer uses this connection')
    if (abort) record.link?.abort(error)
    else if (record.link !== undefined) endLink(record.link, owner, this.#options.clock)
    this.#queueChange()
  }

  #heal({ connections, streams }: Running, effect: Extract<NetworkEffect, { do: 'heal' }>): void {
    const connection = connections.find(effect.connection)?.connection
    if (connection === undefined) return
    const peer = connection.remotePeer
    streams?.clearForHeal(effect.lack, peer, connections.connectionsTo(peer))
    this.#identify(connection)
  }

  /** Identify emits `peer:identify`, upon which gossipsub opens its missing stream. */
  #identify(connection: Connection | undefined): void {
    if (connection?.status === 'open') this.#options.identify.identify(connection).catch(() => {})
  }

  #listenToLibp2p(owner: Owner, connections: Connections): void {
    const { events } = this.#options.components
    const onOpened = (event: CustomEvent<Connection>) => {
      connections.getOrCreate(event.detail)
      this.#queueOpened(connections, event.detail)
      this.#queueChange()
    }
    const onClosed = (event: CustomEvent<Connection>) => {
      connections.onClosed(event.detail)
      this.#queueChange()
    }
    const onIdentified = (event: CustomEvent<IdentifyResult>) => {
      connections.onIdentified(event.detail)
      this.#queueChange()
      if (isGuest(event.detail)) this.#deliver({ type: 'stream.absent', connection: event.detail.connection.id })
    }
    events.addEventListener('connection:open', onOpened)
    events.addEventListener('connection:close', onClosed)
    events.addEventListener('peer:identify', onIdentified)
    owner.adopt('libp2p listeners', () => {
      events.removeEventListener('connection:open', onOpened)
      events.removeEventListener('connection:close', onClosed)
      events.removeEventListener('peer:identify', onIdentified)
    })
  }

  /** Delivers a new connection by itself, so that the ledger knows it before its first frame. */
  #queueOpened(connections: Connections, connection: Connection): void {
    queueMicrotask(() => {
      const info = connections.openedInfo(connection)
      if (info !== undefined) this.#deliver({ type: 'opened', connection: info })
    })
  }

  /**
   * Delivers one hint per turn, for any number of changes. Each leads to a snapshot, whose cost grows with the number of
   * connections; so on a node with many of them further changes wait for each other.
   */
  #queueChange(): void {
    if (this.#isChangeQueued) return
    this.#isChangeQueued = true
    const deliverChange = () => {
      this.#isChangeQueued = false
      this.#deliver({ type: 'changed' })
    }
    const owner = this.#running?.owner
    const waitMs = this.#snapshotAfter - this.#options.clock.now()
    if (waitMs <= 0 || owner === undefined || owner.closed) queueMicrotask(deliverChange)
    else owner.after(waitMs, deliverChange)
  }

  /** Gossipsub has no event for a stream that opens or fails to, so this polls. */
  #pollGossip(owner: Owner): void {
    if (this.#isPollScheduled || owner.closed) return
    this.#isPollScheduled = true
    owner.after(gossipPollMs, () => {
      this.#isPollScheduled = false
      this.#queueChange()
    })
  }
}

/** Whether the dialler of this connection does not speak the link protocol; it may begin to later. */
function isGuest({ connection, protocols }: IdentifyResult): boolean {
  return connection.direction === 'inbound' && protocols.length > 0 && !protocols.includes(linkProtocol)
}
