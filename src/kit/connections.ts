import type { Connection, IdentifyResult, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ConnectionFact } from '../core/events.ts'
import { limits } from '../core/limits.ts'
import type { Clock } from '../core/machine.ts'
import type { OwnedMap } from '../core/owned-map.ts'
import type { Owner } from '../core/owner.ts'
import type { NetworkComponents } from './components.ts'
import type { LinkStream } from './link-stream.ts'

/** What is known of one connection beside what libp2p says of it. */
export interface ConnectionRecord {
  readonly connection: Connection
  readonly seenAt: number
  identified: boolean
  /** The peer speaks gossipsub, by identify or by a stream it has opened. */
  gossips: boolean
  /** The one link stream, once it is there. */
  link: LinkStream | undefined
  /** Our opening of it is under way. */
  opening: boolean
  closing: boolean
}

const gossipPrefix = '/meshsub/'
/** Gossipsub opens its stream right after identify; missing before this age in milliseconds means nothing. */
export const gossipGraceMs = 1_000

/**
 * One record per connection of libp2p's, found by id. Events of libp2p are hints only: a snapshot drops what libp2p no
 * longer has and adds what was missed.
 */
export class Connections {
  readonly #components: NetworkComponents
  readonly #clock: Clock
  readonly #gossip: boolean
  readonly #records: OwnedMap<string, ConnectionRecord>

  /** `gossip`: this node runs gossipsub. */
  constructor(components: NetworkComponents, owner: Owner, clock: Clock, gossip: boolean) {
    this.#components = components
    this.#clock = clock
    this.#gossip = gossip
    this.#records = owner.map<string, ConnectionRecord>({
      name: 'links',
      capacity: limits.peers * limits.linksPerPeer,
      leavesBy: { event: 'its connection is gone' },
      release: (record) => record.link?.abort(new Error('its connection is gone')),
    })
  }

  of(connection: Connection): ConnectionRecord {
    const held = this.#records.get(connection.id)
    if (held !== undefined) return held
    const now = this.#clock.now()
    const fresh = { identified: false, gossips: false, link: undefined, opening: false, closing: false }
    const record: ConnectionRecord = { connection, seenAt: now, ...fresh }
    this.#records.set(connection.id, record, now)
    return record
  }

  find(id: string): ConnectionRecord | undefined {
    return this.#records.get(id)
  }

  identified({ connection, protocols }: IdentifyResult): void {
    if (connection.status !== 'open') return
    const record = this.of(connection)
    record.identified = true
    record.gossips ||= protocols.some((protocol) => protocol.startsWith(gossipPrefix))
  }

  gone(connection: Connection): void {
    this.#records.deleteIf(connection.id, (record) => record.connection === connection)
  }

  /** An identified connection to this peer, or one that we dialled to one of these addresses. */
  reaching(peer: PeerId | undefined, addresses: readonly Multiaddr[]): Connection | undefined {
    const texts = addresses.map(bare)
    for (const { connection, identified, closing } of this.#records.values()) {
      if (!identified || closing || connection.status !== 'open') continue
      if (peer !== undefined ? connection.remotePeer.equals(peer) : false) return connection
      const dialled = peer === undefined && connection.direction === 'outbound'
      if (dialled && texts.includes(bare(connection.remoteAddr))) return connection
    }
    return undefined
  }

  facts(): readonly ConnectionFact[] {
    const connections = this.#components.connectionManager.getConnections()
    const ids = new Set(connections.map((connection) => connection.id))
    for (const id of [...this.#records.keys()]) if (!ids.has(id)) this.#records.delete(id)
    const speaking = new Set(connections.filter(hasGossipStream).map((connection) => connection.remotePeer.toString()))
    return connections.map((connection) => this.#fact(connection, speaking))
  }

  #fact(connection: Connection, speaking: ReadonlySet<string>): ConnectionFact {
    const peer = connection.remotePeer.toString()
    return {
      id: connection.id,
      peer,
      direction: connection.direction,
      address: connection.remoteAddr.toString(),
      transport: transportOf(connection.remoteAddr),
      gossip: this.#gossipOf(this.of(connection), speaking.has(peer)),
    }
  }

  #gossipOf(record: ConnectionRecord, open: boolean): ConnectionFact['gossip'] {
    if (!this.#gossip) return 'none'
    if (open) return 'open'
    record.gossips ||= record.connection.streams.some((stream) => stream.protocol.startsWith(gossipPrefix))
    return record.gossips && this.#clock.now() - record.seenAt > gossipGraceMs ? 'missing' : 'none'
  }
}

/** Gossipsub keeps one outbound stream per peer, on whichever connection: that is the one it writes to. */
function hasGossipStream(connection: Connection): boolean {
  return connection.streams.some(
    (stream) => stream.direction === 'outbound' && stream.status === 'open' && stream.protocol.startsWith(gossipPrefix),
  )
}

function transportOf(address: Multiaddr): ConnectionFact['transport'] {
  const names = address.getComponents().map((component) => component.name)
  if (names.includes('quic-v1')) return 'quic'
  if (names.includes('memory')) return 'memory'
  return names.includes('tcp') ? 'tcp' : 'other'
}

/** Without its peer id. */
function bare(address: Multiaddr): string {
  return address.decapsulateCode(421).toString()
}
