import { MeshError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { whole } from '../rules.ts'

/** Options that bound what this libp2p holds. */
export interface LimitOptions {
  /**
   * Peers with a connection, 2 to 10,000; a full node says goodbye to a further one. If it is set, the node also bounds
   * all connections of this libp2p, dials included, by 100 more, those before the end of their handshakes by half of
   * that in each direction, and those of one peer by 6.
   *
   * @default 300
   */
  readonly connectionsHigh?: number
  /**
   * Peers with a connection above which the node closes guests, idle ones first, 1 to 10,000; never members and seeds.
   * By default it closes none.
   */
  readonly connectionsLow?: number | undefined
  /**
   * Former name of `connectionsHigh`. The next version refuses it.
   *
   * @deprecated Use `connectionsHigh`.
   */
  readonly maxPeers?: number | undefined
  /**
   * Connections of one IPv4 address or one IPv6 /56 in both directions, 1 to 10,100; loopback is not limited. Off by
   * default, as all limits below.
   */
  readonly connectionsPerAddress?: number | undefined
  /** Inbound connections per second of one address, 1 to 10,000; loopback is not limited. */
  readonly inboundRate?: number | undefined
  /** Streams of one peer over all its connections, both directions, 16 to 100,000. */
  readonly streamsPerPeer?: number | undefined
  /**
   * Streams of one protocol on one connection in one direction, 2 to 10,000, unless the protocol’s handler has its own
   * limit.
   */
  readonly streamsPerProtocol?: number | undefined
  /**
   * Bytes in the buffers of all streams of this libp2p, 4 MiB to 64 GiB. At the limit streams of the peer that holds most
   * are reset.
   */
  readonly bufferedBytes?: number | undefined
  /** Percent of V8’s heap limit in use above which the node accepts no connection, 50 to 95. */
  readonly heapPercent?: number | undefined
}

/**
 * Rules of the limits that both an application and the command line may set.
 *
 * @internal
 */
export const limitRules = {
  connectionsHigh: whole(2, 10_000, 'peers'),
  connectionsLow: whole(1, 10_000, 'peers'),
  connectionsPerAddress: whole(1, 10_100, 'connections'),
  inboundRate: whole(1, 10_000, 'connections'),
  streamsPerPeer: whole(16, 100_000, 'streams'),
  streamsPerProtocol: whole(2, 10_000, 'streams'),
  bufferedBytes: whole(4 * 1_048_576, 64 * 1_073_741_824, 'bytes'),
  heapPercent: whole(50, 95, 'percent'),
} as const

/** Throws MESH_CONFIG_INVALID if the node would close guests only above the number of peers at which it is full. */
export function checkPeerLimits(options: LimitOptions): void {
  const { connectionsLow, connectionsHigh = options.maxPeers ?? limits.peers } = options
  if (connectionsLow === undefined || connectionsLow <= connectionsHigh) return
  const expected = `at most \`connectionsHigh\`, ${connectionsHigh}`
  throw new MeshError('MESH_CONFIG_INVALID', { key: 'connectionsLow', given: String(connectionsLow), expected })
}
