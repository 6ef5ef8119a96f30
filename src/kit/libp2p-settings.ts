import { type GossipSubComponents, gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import type { PrivateKey } from '@libp2p/interface'
import { quic } from '@libp2p/quic'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import type { Libp2pOptions } from 'libp2p'
import { limits } from '../core/limits.ts'
import { maxOverLimit } from '../core/peer-records.ts'
import { announceFilter } from './connections/address-watch.ts'
import { type GossipSettings, gossipSettings } from './gossip/gossip-settings.ts'
import { silentLibp2p } from './libp2p-logger.ts'
import { lazyNoise, quicSettings, quicWindows } from './transports.ts'

export interface Libp2pSettings {
  readonly privateKey: PrivateKey
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[]
  /** Addresses to announce instead of the listen addresses: behind NAT, in containers. */
  readonly announce?: readonly string[]
  /** Keep it above the mesh’s `connectionsHigh`: libp2p gives no reason to a peer that it refuses. */
  readonly maxConnections?: number
  /**
   * Inbound connections of one address per second; 100 by default. Keep it above the mesh’s `inboundRate`, whose refusals
   * have a span.
   */
  readonly inboundConnectionThreshold?: number
  /** Inbound connections before the end of their handshakes; 100 by default. */
  readonly maxIncomingPendingConnections?: number
  /** Flow control window of one QUIC connection in bytes; js-libp2p’s default of 15,000,000 by default. */
  readonly quicWindow?: number
  /** Software name and version that identify sends. */
  readonly agent?: string
  /** Libp2p's own debug log, as DEBUG selects it; costly even when it prints nothing. */
  readonly debug?: boolean
}

const weekMs = 7 * 24 * 3_600_000

/** Options for `createLibp2p`, with the two services that the mesh looks for. */
export type MeshLibp2pOptions = Omit<Libp2pOptions, 'services'> & {
  readonly services: { readonly identify: ReturnType<typeof identify>; readonly pubsub: ReturnType<typeof meshGossip> }
}

/**
 * The `createLibp2p` options of a mesh node, without the mesh service: `{ ...settings, services: { ...services,
 * tracemesh } }`.
 *
 * - Connection monitor off: a ping stream per connection and 10 s is four fifths of an idle node's CPU; the mesh
 *   probes its links on a stream that is open anyway.
 * - Inbound limits per host raised: the default of 5 per second loses peers when a cluster boots behind one address,
 *   and over QUIC the dialler sees success.
 * - No reconnects by libp2p: the mesh redials seeds and members, and its spans give the reason.
 * - The peer store keeps addresses for a week, not an hour: a peer that stays connected for longer would lose them.
 * - Identify without push: digests carry addresses and topics.
 * - Identify answers with the addresses of the digests; libp2p would withhold public ones until AutoNAT confirms them.
 */
export function libp2pSettings(settings: Libp2pSettings): MeshLibp2pOptions {
  const { privateKey, listen, announce = [], maxConnections = limits.peers + maxOverLimit, agent, debug } = settings
  const { inboundConnectionThreshold = 100, maxIncomingPendingConnections = 100, quicWindow } = settings
  const quicOptions = quicWindow === undefined ? quicSettings : { ...quicSettings, ...quicWindows(quicWindow) }
  return {
    privateKey,
    addresses: { listen: [...listen], announce: [...announce], announceFilter: announceFilter() },
    transports: [quic(quicOptions), tcp()],
    connectionEncrypters: [lazyNoise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections,
      inboundConnectionThreshold,
      maxIncomingPendingConnections,
      reconnectRetries: 0,
    },
    peerStore: { maxAddressAge: weekMs },
    ...(agent === undefined ? {} : { nodeInfo: { userAgent: agent } }),
    ...(debug === true ? {} : { logger: silentLibp2p }),
    services: { identify: identify(), pubsub: meshGossip() },
  }
}

/** The gossipsub service of a mesh node. */
export function meshGossip(override: GossipSettings = {}) {
  const create = gossipsub(gossipSettings(override))
  return (components: GossipSubComponents) => create(components)
}
