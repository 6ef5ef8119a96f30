import type { Connection, IdentifyResult, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ConnectionInfo } from '../../core/events.ts'
import type { GossipLack, GossipState } from '../../core/gossip-repair.ts'
import { limits } from '../../core/limits.ts'
import type { Clock } from '../../core/machine.ts'
import type { OwnedMap } from '../../core/owned-map.ts'
import type { Owner } from '../../core/owner.ts'
import type { NetworkComponents } from '../components.ts'
import {
  type Gossip,
  type GossipPeers,
  hasAnyGossipStream,
  isGossip,
  noGossipPeers,
  readGossipPeers,
} from '../gossip/gossip-peers.ts'
import { transportOf, withoutPeer } from '../multiaddrs.ts'
import type { LinkStream } from './link-streams.ts'

/** State of one connection that libp2p does not hold. */
export interface ConnectionRecord {
  readonly connection: Connection
  isIdentified: boolean
  /** Multiaddr at which the peer sees this node. */
  observedAddress: string | undefined
  /** By the newest identify, or before it by an open stream of the peer; undefined when unknown. */
  speaksGossip: boolean | undefined
  /** Since when gossipsub lacks its stream to this peer or the peer's subscriptions; undefined while it has both. */
  lackingSince: number | undefined
  /** Milliseconds that messages have waited for gossipsub on this connection. */
  waitedMs: number
  /** From identify; empty before. */
  agentVersion: string
  /** The one link stream, once it is open. */
  link: LinkStream | undefined
  /** This node is opening the link stream. */
  isOpeningLink: boolean
  isClosing: boolean
  /** Our dialler opened it. */
  isOurs: boolean
  /** The mesh no longer uses this connection but may not close it; the application goes on with it. */
  isLeftToApp: boolean
  /** The peer did not answer on it: the mesh does not resume it. */
  isUnresponsive: boolean
  /** Who opened connections to the same peer that closed before it. */
  earlier: readonly ConnectionOwner[]
}

/** `mesh`: its dialler opened it; `application`: the application did; `peer`: it came in. */
export type ConnectionOwner = 'mesh' | 'application' | 'peer'

/**
 * One record per libp2p connection, by id. Events of libp2p are hints only: `observe`, the snapshot for the core, first
 * compares the records with the connections that libp2p has. Every other method that returns something changes nothing, except
 * `getOrCreate`.
 */
export class Connections {
  readonly #components: NetworkComponents
  readonly #clock: Clock
  readonly #gossip: Gossip | undefined
  readonly #probes: { readonly includes: (peer: PeerId) => boolean }
  readonly #closes: 'own' | 'all'
  readonly #records: OwnedMap<string, ConnectionRecord>

  /**
   * `gossip`: undefined for a node without gossipsub. `connectionsHigh`: maximum of connected peers. `probes`: peers that only
   * dial back. `closes`: the connections that the mesh may close.
   */
  constructor(
    components: NetworkComponents,
    owner: Owner,
    clock: Clock,
    gossip: Gossip | undefined,
    connectionsHigh: number = limits.peers,
    probes: { readonly includes: (peer: PeerId) => boolean } = { includes: () => false },
    closes: 'own' | 'all' = 'all',
  ) {
    this.#probes = probes
    this.#components = components
    this.#clock = clock
    this.#gossip = gossip
    this.#closes = closes
    this.#records = owner.map<string, ConnectionRecord>({
      name: 'connections',
      capacity: (connectionsHigh + limits.relayedPeers) * limits.linksPerPeer,
      expiry: { event: 'its connection closes' },
      release: (record, _, reason) => {
        record.link?.abort(new Error('the connection is closed'))
        if (reason !== 'closed') this.#bequeath(record)
      },
    })
  }

  getOrCreate(connection: Connection): ConnectionRecord {
    const existing = this.#records.get(connection.id)
    if (existing !== undefined) return existing
    const record = newRecord(connection)
    this.#records.set(connection.id, record, this.#clock.now())
    return record
  }

  /** Removes the records of connections that libp2p no longer has, adds missing ones, and notes which lack gossip. */
  reconcile(): void {
    this.#reconcile(this.#read())
  }

  /** Reconciles, and lists the connections of the mesh. */
  observe(): readonly ConnectionInfo[] {
    const reading = this.#read()
    this.#reconcile(reading)
    return this.#infosOf(reading)
  }

  #reconcile({ connections, peers }: Reading): void {
    const ids = new Set(connections.map(({ id }) => id))
    for (const id of [...this.#records.keys()]) if (!ids.has(id)) this.#records.delete(id)
    for (const connection of this.#meshConnections(connections)) {
      const record = this.getOrCreate(connection)
      if (this.#gossip === undefined) continue
      if (hasAnyGossipStream(record.connection, peers)) record.speaksGossip ??= true
      const peer = connection.remotePeer.toString()
      const isComplete = peers.outbound.has(peer) && peers.inbound.has(peer)
      if (!speaksGossip(record, peers) || isComplete) record.lackingSince = undefined
      else if (!record.isClosing) record.lackingSince ??= this.#clock.now()
    }
  }

  find(id: string): ConnectionRecord | undefined {
    return this.#records.get(id)
  }

  onIdentified({ connection, protocols, agentVersion = '', observedAddr }: IdentifyResult): void {
    if (connection.status !== 'open') return
    const record = this.getOrCreate(connection)
    record.isIdentified = true
    record.observedAddress = observedAddr?.toString()
    if (agentVersion !== '') record.agentVersion = agentVersion
    if (protocols.length > 0) this.#setGossips(connection.remotePeer, protocols)
  }

  /** A peer that no longer lists gossipsub has stopped it on all its connections. */
  #setGossips(peer: PeerId, protocols: readonly string[]): void {
    const speaksGossip = protocols.some((protocol) => isGossip({ protocol }))
    for (const record of this.#records.values())
      if (record.connection.remotePeer.equals(peer)) record.speaksGossip = speaksGossip
  }

  onClosed(connection: Connection): void {
    this.#records.deleteIf(connection.id, (record) => record.connection === connection)
  }

  /** Agent version of a peer from identify; undefined before. */
  agentOf(peer: string): string | undefined {
    for (const { agentVersion, connection } of this.#records.values())
      if (agentVersion !== '' && connection.remotePeer.toString() === peer) return agentVersion
    return undefined
  }

  /** All connections to a peer. */
  connectionsTo(peer: PeerId): readonly Connection[] {
    return this.#components.connectionManager.getConnections(peer)
  }

  /** Connections that have lacked gossipsub for at most `ms`: they are likely to get it soon. */
  lackingGossip(ms: number): readonly ConnectionRecord[] {
    const lackedAfter = this.#clock.now() - ms
    const isLacking = ({ lackingSince }: ConnectionRecord) => lackingSince !== undefined && lackingSince > lackedAfter
    return [...this.#records.values()].filter(isLacking)
  }

  /**
   * An identified connection to this peer, or one that we dialled to one of these addresses. The mesh may have left it to
   * the application, and then the caller resumes it.
   */
  findReaching(peer: PeerId | undefined, addresses: readonly Multiaddr[]): ConnectionRecord | undefined {
    const candidates = this.#usable(peer, addresses).filter(({ isIdentified }) => isIdentified)
    return candidates.find(({ isLeftToApp }) => !isLeftToApp) ?? candidates.find(canResume)
  }

  /** Whether an open connection to this peer waits for identify. */
  isIdentifying(peer: PeerId | undefined, addresses: readonly Multiaddr[]): boolean {
    return this.#usable(peer, addresses).some(({ isIdentified, isLeftToApp }) => !isIdentified && !isLeftToApp)
  }

  #usable(peer: PeerId | undefined, addresses: readonly Multiaddr[]): ConnectionRecord[] {
    const texts = addresses.map(withoutPeer)
    return [...this.#records.values()].filter(({ connection, isClosing }) => {
      if (isClosing || connection.status !== 'open' || connection.limits !== undefined) return false
      if (peer !== undefined) return connection.remotePeer.equals(peer)
      return connection.direction === 'outbound' && texts.includes(withoutPeer(connection.remoteAddr))
    })
  }

  /** Of shared connections the mesh closes only those that it dialled and the application does not use. */
  mayClose({ isOurs, connection }: ConnectionRecord): boolean {
    return this.#closes !== 'own' || (isOurs && !servesApplication(connection))
  }

  /**
   * Who opened the connections to a peer since it last had none: the application, if it opened one of them, else the
   * mesh, else the peer. Asked when the last one closes, it still knows that one.
   */
  openedBy(peer: PeerId): ConnectionOwner {
    const records = [...this.#records.values()].filter(({ connection }) => connection.remotePeer.equals(peer))
    const owners = records.flatMap(openersOf)
    return owners.find((owner) => owner === 'application') ?? owners.find((owner) => owner === 'mesh') ?? 'peer'
  }

  /** The records of a peer's other connections remember who opened this one. */
  #bequeath(record: ConnectionRecord): void {
    for (const { id } of this.connectionsTo(record.connection.remotePeer)) {
      const heir = this.#records.get(id)
      if (heir !== undefined && heir !== record) heir.earlier = [...new Set([...heir.earlier, ...openersOf(record)])]
    }
  }

  /** Whether the application goes on with the connection without the mesh. */
  isLeftToApp(id: string): boolean {
    return this.#records.get(id)?.isLeftToApp === true
  }

  /** Connections of the mesh, those without a record yet included. */
  connectionInfos(): readonly ConnectionInfo[] {
    return this.#infosOf(this.#read())
  }

  #read(): Reading {
    const connections = this.#components.connectionManager.getConnections()
    return { connections, peers: readGossipPeers(this.#gossip, connections, (id) => this.#records.get(id)) }
  }

  #infosOf({ connections, peers }: Reading): readonly ConnectionInfo[] {
    return this.#meshConnections(connections).map((connection) => this.#connectionInfo(connection, peers))
  }

  /** A connection that has just opened and has no stream yet; undefined if the mesh does not use it. */
  openedInfo(connection: Connection): ConnectionInfo | undefined {
    if (connection.status !== 'open' || !this.#isOfMesh(connection)) return undefined
    return this.#connectionInfo(connection, noGossipPeers())
  }

  #isOfMesh({ id, remotePeer }: Connection): boolean {
    return !this.isLeftToApp(id) && !this.#probes.includes(remotePeer)
  }

  #meshConnections(connections: readonly Connection[]): readonly Connection[] {
    return connections.filter((connection) => this.#isOfMesh(connection))
  }

  #connectionInfo(connection: Connection, peers: GossipPeers): ConnectionInfo {
    const peer = connection.remotePeer.toString()
    const record = this.#records.get(connection.id) ?? newRecord(connection)
    return {
      id: connection.id,
      peer,
      direction: connection.direction,
      address: connection.remoteAddr.toString(),
      transport: transportOf(connection.remoteAddr),
      observed: record.observedAddress,
      gossip: this.#gossipOf(record, peer, peers),
      isLimited: connection.limits !== undefined,
      isForeign: this.#closes === 'own' && !record.isOurs,
      isUnidentified: !record.isIdentified,
      isIdle: !hasAnyGossipStream(record.connection, peers) && !servesApplication(connection),
    }
  }

  #gossipOf(record: ConnectionRecord, peer: string, peers: GossipPeers): GossipState {
    if (this.#gossip === undefined) return 'none'
    const writes = peers.outbound.has(peer)
    if (!speaksGossip(record, peers) || record.isClosing) return writes ? 'open' : 'none'
    // Gossipsub opens no other stream until the one on the closing connection has closed.
    if (!writes && peers.closing.has(peer)) return 'none'
    return this.#lackOf(record, peer, peers) ?? 'open'
  }

  #lackOf(
    { link, isOurs }: ConnectionRecord,
    peer: string,
    { outbound, subscribers }: GossipPeers,
  ): GossipLack | undefined {
    const streams = this.#gossip?.streams
    if (!outbound.has(peer)) {
      return streams?.isOpening(peer) ? 'waiting' : 'missing'
    }
    // The mesh cannot see what another pubsub reads.
    if (streams === undefined) return undefined
    if (link === undefined && isOurs && !streams.hasSubscribed(peer)) return 'no-subscription'
    if (!streams.readsFrom(peer)) return 'no-inbound'
    return link !== undefined && !subscribers.has(peer) ? 'no-subscription' : undefined
  }
}

function newRecord(connection: Connection): ConnectionRecord {
  return {
    connection,
    isIdentified: false,
    observedAddress: undefined,
    speaksGossip: undefined,
    lackingSince: undefined,
    waitedMs: 0,
    agentVersion: '',
    link: undefined,
    isOpeningLink: false,
    isClosing: false,
    isOurs: false,
    isLeftToApp: false,
    isUnresponsive: false,
    earlier: [],
  }
}

/** Who opened the connection, and those to its peer that closed before it. */
function openersOf({ connection, isOurs, earlier }: ConnectionRecord): readonly ConnectionOwner[] {
  if (connection.direction === 'inbound') return ['peer', ...earlier]
  return [isOurs ? 'mesh' : 'application', ...earlier]
}

/** State of libp2p, read once for all that need it in this turn: it costs some 10 µs per connection. */
interface Reading {
  readonly connections: readonly Connection[]
  readonly peers: GossipPeers
}

/** Whether the peer has gossipsub, by identify or by a stream: it may start gossipsub after identify. */
function speaksGossip(record: ConnectionRecord, peers: GossipPeers): boolean {
  return record.speaksGossip === true || hasAnyGossipStream(record.connection, peers)
}

/** Protocols of the mesh, of libp2p itself, and of gossipsub, whose stream healing moves to another connection. */
const infrastructure = ['/tracemesh/', '/meshsub/', '/floodsub/', '/ipfs/id/', '/ipfs/ping/', '/libp2p/autonat/']

/** Whether the application uses this connection: libp2p shares one connection among all users of a peer. */
export function servesApplication({ streams }: Pick<Connection, 'streams'>): boolean {
  return streams.some(({ protocol }) => {
    // A DHT in an application is the application’s, also with the protocol of our seeds.
    if (protocol === '' || protocol.startsWith('/tracemesh/kad/')) return protocol !== ''
    return !infrastructure.some((prefix) => protocol.startsWith(prefix))
  })
}

/** Only the dialler opens the link stream, so only it can resume a connection that the mesh left. */
function canResume({ connection, isUnresponsive }: ConnectionRecord): boolean {
  return connection.direction === 'outbound' && !isUnresponsive
}
