import type { Connection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { NetworkComponents } from './components.ts'
import { withoutPeer } from './multiaddrs.ts'

/** How long the mesh waits for the application’s dial of the same peer before it dials as well. Guess. */
export const appDialWaitMs = 3_000

/** The target of a dial; for a seed the peer id may be unknown. */
export interface DialTarget {
  readonly peer: PeerId | undefined
  readonly addresses: readonly Multiaddr[]
}

/** Whether the application is dialling this peer, or one of these addresses, through libp2p’s dial queue. */
export function isApplicationDialling(
  { connectionManager }: Pick<NetworkComponents, 'connectionManager'>,
  { peer, addresses }: DialTarget,
): boolean {
  const texts = new Set(addresses.map(withoutPeer))
  return connectionManager.getDialQueue().some(({ peerId, multiaddrs }) => {
    if (peer !== undefined && peerId?.equals(peer) === true) return true
    return multiaddrs.some((address) => texts.has(withoutPeer(address)))
  })
}

/**
 * Whether an existing connection to this peer makes our dial unnecessary: one that this node’s application opened, or
 * one that the lower peer id dialled. Of two ends that dial each other only one yields.
 */
export function isApplicationConnected(
  { connectionManager, peerId }: Pick<NetworkComponents, 'connectionManager' | 'peerId'>,
  { peer }: DialTarget,
  isOurs: (connection: Connection) => boolean,
): boolean {
  if (peer === undefined) return false
  const lowerDials = peer.toString() < peerId.toString()
  return connectionManager.getConnections(peer).some((connection) => {
    if (connection.status !== 'open' || connection.limits !== undefined || isOurs(connection)) return false
    return connection.direction === 'outbound' || lowerDials
  })
}

/** Protocols of the mesh, of libp2p itself, and of gossipsub, whose stream healing moves to another connection. */
const infrastructure = ['/tracemesh/', '/meshsub/', '/floodsub/', '/ipfs/id/', '/ipfs/ping/', '/libp2p/autonat/']

/** Whether the application uses this connection: libp2p shares one connection among all users of a peer. */
export function servesApplication({ streams }: Pick<Connection, 'streams'>): boolean {
  return streams.some(
    ({ protocol }) => protocol !== '' && !infrastructure.some((prefix) => protocol.startsWith(prefix)),
  )
}
