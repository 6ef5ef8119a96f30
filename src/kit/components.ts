import type {
  ComponentLogger,
  ConnectionGater,
  Libp2pEvents,
  PeerId,
  PeerStore,
  PrivateKey,
  TypedEventTarget,
  Upgrader,
} from '@libp2p/interface'
import type { AddressManager, ConnectionManager, Registrar, TransportManager } from '@libp2p/interface-internal'
import type { RecordStore } from './peer-store/peer-store-records.ts'

/** The parts of libp2p's service components that the network uses. */
export interface NetworkComponents {
  readonly peerId: PeerId
  readonly events: TypedEventTarget<Libp2pEvents>
  readonly registrar: Pick<Registrar, 'handle' | 'unhandle'>
  readonly connectionManager: Pick<ConnectionManager, 'getConnections' | 'getDialQueue'>
  readonly transportManager: Pick<TransportManager, 'dial' | 'dialTransportForMultiaddr'>
  readonly connectionGater?: ConnectionGater
}

/** The parts of libp2p's service components that the mesh service uses. */
export type TracemeshComponents = NetworkComponents & {
  readonly privateKey: PrivateKey
  readonly logger?: ComponentLogger
  readonly registrar: Pick<Registrar, 'getHandler' | 'register'>
  readonly addressManager: Pick<
    AddressManager,
    'getListenAddrs' | 'getAnnounceAddrs' | 'getAddresses' | 'getAddressesWithMetadata'
  >
  readonly transportManager: Pick<TransportManager, 'getListeners'>
  readonly connectionManager: Pick<ConnectionManager, 'openConnection'>
  readonly peerStore: Pick<PeerStore, 'get' | 'patch' | 'merge' | 'delete'>
  readonly datastore: RecordStore
  readonly upgrader?: Upgrader
}

/** A message as gossipsub delivers it: under `StrictSign` it has verified the signature. */
export interface GossipMessage {
  readonly type: 'signed' | 'unsigned'
  readonly topic: string
  readonly data: Uint8Array
  readonly from?: PeerId
  readonly sequenceNumber?: bigint
}

interface PubSubOptions {
  /** Without it gossipsub throws while a topic has no peer, unless its own options allow that. */
  readonly allowPublishToZeroTopicPeers: boolean
}

/** The part of gossipsub that the mesh uses; any libp2p 3 pubsub of this shape works. */
export interface PubSub {
  subscribe(topic: string): void
  unsubscribe(topic: string): void
  getPeers(): readonly PeerId[]
  getSubscribers(topic: string): readonly PeerId[]
  /** Topics that this node subscribes to. */
  getTopics?(): readonly string[]
  publish(
    topic: string,
    data: Uint8Array,
    options?: PubSubOptions,
  ): Promise<{ readonly recipients: readonly unknown[] }>
  addEventListener(type: 'message', listener: (event: CustomEvent<GossipMessage>) => void): void
  removeEventListener(type: 'message', listener: (event: CustomEvent<GossipMessage>) => void): void
}
