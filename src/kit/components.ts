import type { ConnectionGater, Libp2pEvents, PeerId, PeerStore, PrivateKey, TypedEventTarget } from '@libp2p/interface'
import type { AddressManager, ConnectionManager, Registrar, TransportManager } from '@libp2p/interface-internal'

/** What the mesh uses of libp2p: the components that any libp2p service is handed. */
export interface NetworkComponents {
  readonly peerId: PeerId
  readonly events: TypedEventTarget<Libp2pEvents>
  readonly registrar: Pick<Registrar, 'handle' | 'unhandle'>
  readonly connectionManager: Pick<ConnectionManager, 'getConnections' | 'getDialQueue'>
  readonly transportManager: Pick<TransportManager, 'dial' | 'dialTransportForMultiaddr'>
  readonly connectionGater?: ConnectionGater
}

/** What libp2p hands to the mesh service. */
export type TracemeshComponents = NetworkComponents & {
  readonly privateKey: PrivateKey
  readonly registrar: Pick<Registrar, 'getHandler'>
  readonly addressManager: Pick<
    AddressManager,
    'getListenAddrs' | 'getAnnounceAddrs' | 'getAddresses' | 'getAddressesWithMetadata'
  >
  readonly transportManager: Pick<TransportManager, 'getListeners'>
  readonly peerStore: Pick<PeerStore, 'all' | 'patch'>
}

/** A message as gossipsub hands it out: under `StrictSign` its signature has been checked. */
export interface GossipMessage {
  readonly type: 'signed' | 'unsigned'
  readonly topic: string
  readonly data: Uint8Array
  readonly from?: PeerId
  readonly sequenceNumber?: bigint
}

interface PubSubOptions {
  /** Gossipsub otherwise throws when nobody is there yet, unless its own options say so. */
  readonly allowPublishToZeroTopicPeers: boolean
}

/** What the mesh uses of gossipsub; any libp2p 3 pubsub of this shape will do. */
export interface PubSub {
  subscribe(topic: string): void
  unsubscribe(topic: string): void
  getPeers(): readonly PeerId[]
  getSubscribers(topic: string): readonly PeerId[]
  publish(
    topic: string,
    data: Uint8Array,
    options?: PubSubOptions,
  ): Promise<{ readonly recipients: readonly unknown[] }>
  addEventListener(type: 'message', listener: (event: CustomEvent<GossipMessage>) => void): void
  removeEventListener(type: 'message', listener: (event: CustomEvent<GossipMessage>) => void): void
}
