import type { Connection } from '@libp2p/interface'
import { gossipPrefix } from '../gossip/gossip-streams.ts'

/** An open stream, for display. */
export interface StreamInfo {
  readonly id: string
  readonly connection: string
  readonly peer: string
  /** Empty while both ends negotiate it. */
  readonly protocol: string
  /** Part of the process that uses it. */
  readonly owner: 'tracemesh' | 'gossipsub' | 'libp2p' | 'application'
  readonly direction: 'inbound' | 'outbound'
  readonly status: string
  readonly ageMs: number
}

/** The streams of all connections, the oldest first. `wallNow` in Unix milliseconds. */
export function streamsOf(connections: readonly Connection[], wallNow: number): StreamInfo[] {
  const streams = connections.flatMap((connection) =>
    connection.streams.map(({ id, protocol, direction, status, timeline }) => ({
      id,
      connection: connection.id,
      peer: connection.remotePeer.toString(),
      protocol,
      owner: ownerOf(protocol),
      direction,
      status,
      ageMs: Math.max(0, wallNow - timeline.open),
    })),
  )
  return streams.sort((a, b) => b.ageMs - a.ageMs)
}

function ownerOf(protocol: string): StreamInfo['owner'] {
  if (protocol.startsWith('/tracemesh/')) return 'tracemesh'
  if (protocol.startsWith(gossipPrefix) || protocol.startsWith('/floodsub/')) return 'gossipsub'
  // Negotiation and libp2p's own services: identify, ping, DHT, AutoNAT.
  return protocol === '' || /^\/(?:ipfs|libp2p)\//.test(protocol) ? 'libp2p' : 'application'
}
