import type { Connection, Peer, PeerId, PeerStore } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'

export interface StoredPeersComponents {
  readonly peerStore: Pick<PeerStore, 'get' | 'patch' | 'merge' | 'delete'>
  readonly connectionManager: Pick<ConnectionManager, 'getConnections' | 'getDialQueue'>
}

/** Reads and removes records of libp2p's peer store, with regard to its connections. */
export class StoredPeers {
  readonly #components: StoredPeersComponents
  readonly #identify: (connection: Connection) => Promise<unknown>

  constructor(components: StoredPeersComponents, identify: (connection: Connection) => Promise<unknown>) {
    this.#components = components
    this.#identify = identify
  }

  /** Undefined without a record. */
  async get(peer: PeerId): Promise<Peer | undefined> {
    try {
      return await this.#components.peerStore.get(peer)
    } catch (error) {
      // libp2p itself removes a record that it reads when it is too old.
      if (error instanceof Error && error.name === 'NotFoundError') return undefined
      throw error
    }
  }

  /**
   * First clears the addresses, then removes the record; returns whether it did. A peer that connects meanwhile gets its
   * record back: without it libp2p tells no topology of its disconnect, and gossipsub counts the peer for ever.
   */
  async remove(record: Peer): Promise<boolean> {
    const { peerStore } = this.#components
    const { id, addresses, protocols, metadata, tags, peerRecordEnvelope } = record
    if (this.isConnected(id)) return false
    await peerStore.patch(id, { multiaddrs: [] })
    if (this.isConnected(id)) {
      await peerStore.merge(id, { addresses })
      return false
    }
    await peerStore.delete(id)
    const [connection] = this.connectionsTo(id)
    if (connection === undefined) return true
    const envelope = peerRecordEnvelope === undefined ? {} : { peerRecordEnvelope }
    await peerStore.merge(id, { addresses, protocols, metadata, tags, ...envelope })
    // Identify may have written its record just before.
    await this.#identify(connection).catch(() => {})
    return false
  }

  connectionsTo(peer: PeerId): readonly Connection[] {
    return this.#components.connectionManager.getConnections(peer)
  }

  isConnected(peer: PeerId): boolean {
    return this.connectionsTo(peer).length > 0
  }

  /** Whether libp2p dials the peer. */
  isDialled(peer: PeerId): boolean {
    const queue = this.#components.connectionManager.getDialQueue()
    return queue.some(({ peerId }) => peerId?.equals(peer) === true)
  }
}
