import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { PrivateKey } from '@libp2p/interface'
import { kadDHT, passthroughMapper, type SingleKadDHT } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { silentLibp2p } from '../../kit/libp2p-logger.ts'

export interface DhtPeerOptions {
  /** Protocol id; that of `tracemesh` by default. */
  readonly protocol?: string
  /** Peers of a table must answer queries: by default this one does. */
  readonly clientMode?: boolean
  readonly privateKey?: PrivateKey
}

export type DhtPeer = Awaited<ReturnType<typeof startDhtPeer>>

/** A plain js-libp2p peer with kad-dht on loopback. Its disposal stops it. */
export async function startDhtPeer(options: DhtPeerOptions = {}) {
  const { protocol = '/tracemesh/kad/1.0.0', clientMode = false } = options
  const libp2p = await createLibp2p({
    privateKey: options.privateKey ?? (await generateKeyPair('Ed25519')),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    connectionManager: { reconnectRetries: 0 },
    logger: silentLibp2p,
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({ protocol, clientMode, peerInfoMapper: passthroughMapper, initialQuerySelfInterval: 100 }),
    },
  })
  const dht = libp2p.services.dht as SingleKadDHT
  return {
    libp2p,
    dht,
    peer: libp2p.peerId.toString(),
    dial: (address: string) => libp2p.dial(multiaddr(address)),
    /** Addresses that the network has for a peer; none if nobody knows it. Never from its own peer store. */
    find: async (peer: string, limitMs = 5_000): Promise<string[]> => {
      const query = { useCache: false, signal: AbortSignal.timeout(limitMs) }
      try {
        for await (const event of dht.findPeer(peerIdFromString(peer), query))
          if (event.name === 'FINAL_PEER') return event.peer.multiaddrs.map(String)
      } catch {
        // The query ends with an error if nobody knows the peer.
      }
      return []
    },
    /** Addresses that one server names for a peer; undefined if it did not answer. */
    askServer: async (server: string, peer: string): Promise<string[] | undefined> => {
      const wanted = peerIdFromString(peer)
      const query = { useCache: false, signal: AbortSignal.timeout(5_000) }
      try {
        for await (const event of dht.findPeer(wanted, query))
          if (event.name === 'PEER_RESPONSE' && event.from.toString() === server)
            return event.closer.find(({ id }) => id.equals(wanted))?.multiaddrs.map(String) ?? []
      } catch {
        // The query ends with an error if nobody knows the peer.
      }
      return undefined
    },
    [Symbol.asyncDispose]: async () => libp2p.stop(),
  }
}
