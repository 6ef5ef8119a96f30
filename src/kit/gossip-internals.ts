import type { Connection, PeerId, Stream } from '@libp2p/interface'

/** A message as gossipsub caches and sends it. */
export interface RawMessage {
  readonly topic: string
  readonly data?: Uint8Array
}

/** Gossipsub's outbound stream to a peer; both methods take one RPC, the second with its length prefix. */
export interface OutboundStream {
  readonly rawStream: Stream
  push(rpc: Uint8Array): void
  pushPrefixed(rpc: { readonly byteLength: number; subarray(): Uint8Array }): void
}

interface Ihave {
  readonly messageIDs?: readonly Uint8Array[]
}

/**
 * The private members of js gossipsub that the mesh uses. Only this file names them; the start and a test check
 * `missingInternals`, so another version of gossipsub fails visibly.
 */
export interface GossipInternals {
  readonly peers: ReadonlyMap<string, PeerId>
  readonly streamsOutbound: Map<string, OutboundStream>
  readonly streamsInbound: Map<string, { readonly rawStream: Stream }>
  /** Queue of connections on which to open an outbound stream. */
  readonly outboundInflightQueue: { readonly readableLength: number }
  readonly mcache: {
    readonly msgs: ReadonlyMap<string, { readonly message: RawMessage }>
    readonly msgIdToStrFn: (id: Uint8Array) => string
    put(id: unknown, message: RawMessage, validated?: boolean): boolean
  }
  createOutboundStream(peer: PeerId, connection: Connection): Promise<void>
  /** Queues an IHAVE for a peer. */
  pushGossip(peer: string, ihave: Ihave): void
  /** Closes both streams of the peer and removes it. */
  removePeer(peer: PeerId): void
}

const isMap = (value: unknown) => value instanceof Map
const isFunction = (value: unknown) => typeof value === 'function'

const checks: { readonly [K in keyof GossipInternals]: (value: never) => boolean } = {
  peers: isMap,
  streamsOutbound: isMap,
  streamsInbound: isMap,
  outboundInflightQueue: (value: Partial<GossipInternals['outboundInflightQueue']> | undefined) =>
    typeof value?.readableLength === 'number',
  mcache: (value: Partial<GossipInternals['mcache']> | undefined) =>
    isMap(value?.msgs) && isFunction(value?.msgIdToStrFn) && isFunction(value?.put),
  createOutboundStream: isFunction,
  pushGossip: isFunction,
  removePeer: isFunction,
}

/** Names of the members that a pubsub lacks; all of them if it is no js gossipsub. */
export function missingInternals(pubsub: object): readonly string[] {
  const parts = pubsub as unknown as Record<string, never>
  return Object.entries(checks).flatMap(([name, fits]) => (fits(parts[name] as never) ? [] : [name]))
}

/** The pubsub's private members; undefined if any is missing. */
export function gossipInternals(pubsub: object): GossipInternals | undefined {
  return missingInternals(pubsub).length === 0 ? (pubsub as unknown as GossipInternals) : undefined
}

/** The same check for a stream, which exists only once a peer is connected. */
export function isOutboundStream({ rawStream, push, pushPrefixed }: Partial<OutboundStream>): boolean {
  return rawStream !== undefined && isFunction(push) && isFunction(pushPrefixed)
}
