import type { dialStages } from '../catalogue/attributes.ts'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { Proof } from './credentials/credential.ts'
import type { CloseReason, Digest, Frame } from './frames.ts'
import type { GossipLack, GossipState } from './gossip-repair.ts'
import type { LimitName } from './limits.ts'
import type { TraceRef } from './trace.ts'

/** One connection in a libp2p snapshot, with which the ledger reconciles its links. */
export interface ConnectionInfo {
  readonly id: string
  readonly peer: string
  readonly direction: 'inbound' | 'outbound'
  /** Remote multiaddr. */
  readonly address: string
  readonly transport: 'quic' | 'tcp' | 'memory' | 'other'
  /** State of gossipsub towards the peer. */
  readonly gossip: GossipState
  /** Identify has not succeeded on this connection yet. */
  readonly isUnidentified?: boolean
  /** Multiaddr at which the peer observes this node, from identify. */
  readonly observed?: string | undefined
  /** A relayed connection with limits of time and bytes; its peer is a guest. */
  readonly isLimited?: boolean
  /** The application opened it; the mesh may not close it. */
  readonly isForeign?: boolean
  /** It carries neither gossip nor a stream of an application. */
  readonly isIdle?: boolean
}

export type DialStage = (typeof dialStages)[number]

export interface DialFailure {
  readonly stage: DialStage
  /** Dialled addresses, with names resolved. */
  readonly addresses: readonly string[]
  /** The address that failed; undefined if none was dialled. */
  readonly address?: string
  readonly errorType: string
  readonly errorMessage: string
}

/** Why one address of a peer does not answer. */
export interface PathFailure {
  readonly address: string
  readonly stage: DialStage
  readonly errorType: string
  readonly errorMessage: string
}

/** The addresses of a peer that answered in one dial, that of the remaining connection first, and the failed ones. */
export interface PathReport {
  readonly workingAddresses: readonly string[]
  readonly failures: readonly PathFailure[]
}

/** A message that crosses into other meshes. Bridges do not open its sealed payload. */
export interface Crossing {
  /** Origin and its sequence number; never reused. */
  readonly id: string
  readonly origin: string
  readonly originMesh: string
  readonly topic: string
  /** Number of bridges passed. */
  readonly hops: number
  /** Signed envelope of the origin, unchanged on every hop. */
  readonly sealed: Uint8Array
  /** The origin's publish span, if it emitted one; bridges link to it. */
  readonly trace?: TraceRef
}

/** Why the network rejected a connection. */
export type RejectionReason = Extract<CloseReason, 'limit' | 'silent' | 'duplicate'>

/** A message that gossipsub did not send to a neighbour, and the number of such messages since the last event. */
export interface UnsentGossip {
  readonly peer: string
  /** It exceeds the neighbour's size limit, or the send queue of a slow neighbour is full. */
  readonly reason: 'size' | 'backlog'
  readonly topic: string
  readonly bytes: number
  readonly limit: number
  /** Unsent messages since the last event, including this one. */
  readonly count: number
}

/** Events from the network to the node. */
export type NetworkEvent =
  /** Hint that connections may have changed, so that the node takes a snapshot. */
  | { readonly type: 'changed' }
  /** One new connection, before any of its frames; a snapshot may follow later. */
  | { readonly type: 'opened'; readonly connection: ConnectionInfo }
  /** A snapshot of all libp2p connections; the ledger reconciles its links with it. */
  | { readonly type: 'observed'; readonly connections: readonly ConnectionInfo[] }
  /** The link stream is open: opened by the dialler, accepted by the listener. */
  | { readonly type: 'stream.open'; readonly connection: string }
  /** The peer does not support the link protocol. */
  | { readonly type: 'stream.absent'; readonly connection: string }
  /** The mesh has waited for a stream on this connection for some seconds. */
  | { readonly type: 'stream.slow'; readonly connection: string; readonly protocol: string; readonly waitedMs: number }
  /** Result of a `check`: whether its stream opened. */
  | { readonly type: 'stream.checked'; readonly connection: string; readonly hasOpened: boolean }
  /** The link stream closed; the connection may still be open. */
  | { readonly type: 'stream.closed'; readonly connection: string }
  /** `proof`: in a closed mesh, what the credentials of a `hello` or `credentials` frame prove. */
  | {
      readonly type: 'frame'
      readonly connection: string
      readonly frame: Frame
      readonly wall: number
      readonly proof?: Proof | undefined
    }
  | {
      readonly type: 'frame.refused'
      readonly connection: string
      readonly reason: string
      readonly isFlooding: boolean
    }
  /**
   * The ledger should close it: its peer does not read (`limit`: `linkOutBytes`), accepts no link stream (`silent`), or
   * another address of the same dial was faster (`duplicate`).
   */
  | { readonly type: 'connection.rejected'; readonly connection: string; readonly reason: RejectionReason }
  /**
   * `address`: remote multiaddr of the connection. `elsewhere`: the address of an existing connection to the peer,
   * which matches no address of the seed; the node made no dial.
   */
  | {
      readonly type: 'seed.answered'
      readonly seed: string
      readonly peer: string
      readonly address: string
      readonly elsewhere?: string
    }
  | { readonly type: 'seed.failed'; readonly seed: string; readonly failure: DialFailure }
  | { readonly type: 'peer.dialled'; readonly peer: string; readonly ok: true }
  | { readonly type: 'peer.dialled'; readonly peer: string; readonly ok: false; readonly failure: DialFailure }
  /** After a successful dial of several addresses: the results for the addresses tried before. */
  | ({ readonly type: 'peer.paths'; readonly peer: string } & PathReport)
  /** Result of a `dial.back`; `errorType` is empty when it reached the peer. */
  | { readonly type: 'dialled.back'; readonly nonce: string; readonly errorType: string }
  /** A digest from gossip; `from` is the peer that signed the message. */
  | {
      readonly type: 'gossip'
      readonly mesh: string
      readonly from: string
      readonly digest: Digest
      /** Unix milliseconds at receipt. */
      readonly wall: number
    }
  | { readonly type: 'crossing'; readonly mesh: string; readonly crossing: Crossing }
  /** The network reached one of its own limits; at most one event per limit and second. */
  | { readonly type: 'limit.reached'; readonly limit: LimitName; readonly action: 'refused' | 'closed' }
  /** Gossipsub did not send messages to a neighbour; at most one event per second. */
  | ({ readonly type: 'gossip.unsent' } & UnsentGossip)
  /** A crossing message with an invalid seal. */
  | { readonly type: 'crossing.refused'; readonly mesh: string; readonly origin: string; readonly id: string }

/** Requests from the node to the network. Results arrive as events. */
export type NetworkEffect =
  /**
   * One attempt: dials all addresses of the seed with names resolved now, and ends with identify within `limitMs`.
   * `fresh`: a connection to the same peer at another address does not count.
   */
  | { readonly do: 'dial.seed'; readonly seed: string; readonly limitMs: number; readonly fresh?: true }
  | { readonly do: 'dial.peer'; readonly peer: string; readonly addresses: readonly string[]; readonly limitMs: number }
  /** A fresh dial with its own sockets and identity, closed at once, which tests whether this address is reachable. */
  | {
      readonly do: 'dial.back'
      readonly nonce: string
      readonly peer: string
      readonly address: string
      readonly limitMs: number
    }
  | { readonly do: 'open'; readonly connection: string }
  | { readonly do: 'send'; readonly connection: string; readonly frame: Frame }
  /** `abort` closes a dead or hostile connection; otherwise pending data is flushed first. */
  | {
      readonly do: 'close'
      readonly connection: string
      readonly abort: boolean
      /** The peer is not admitted: also a connection that the mesh would leave to its application, if the peer opened it. */
      readonly isRefused?: true
    }
  /** Makes gossipsub open its missing streams or subscriptions. */
  | { readonly do: 'heal'; readonly connection: string; readonly lack: GossipLack }
  | { readonly do: 'identify'; readonly connection: string }
  /** The peer may use all protocols, and services learn that it is connected. */
  | { readonly do: 'admit'; readonly peer: string }
  /** Opens a stream and closes it again, to see whether any still opens within `limitMs`. */
  | { readonly do: 'check'; readonly connection: string; readonly limitMs: number }
  | { readonly do: 'gossip'; readonly mesh: string; readonly digest: Digest }
  | { readonly do: 'forward'; readonly mesh: string; readonly crossing: Crossing }

/** Events from the node's own process. */
export type OwnEvent =
  | { readonly type: 'started'; readonly settings: readonly string[] }
  | { readonly type: 'tick' }
  /** Current topic subscriptions of the application and current dialable addresses of the node. */
  | { readonly type: 'profile'; readonly topics: readonly string[]; readonly addresses: readonly string[] }
  /** Listening addresses, hosts of own interfaces, and whether the node may send dial-back requests. */
  | {
      readonly type: 'listening'
      readonly addresses: readonly string[]
      readonly hosts: readonly string[]
      readonly canRequest: boolean
    }
  /**
   * The node looks again at the credentials of its links, every few seconds. `hasChanged`: its own have, so that it
   * shows them to its neighbours.
   */
  | { readonly type: 'trust.checked'; readonly hasChanged: boolean }
  /** The node stops soon: members without a link learn of it while gossip still works. */
  | { readonly type: 'leaving' }
  | { readonly type: 'stopping' }

export type NodeEvent = NetworkEvent | OwnEvent

/** `observe`: take a snapshot of the connections. `census`: count the owned resources and emit the counts. */
export type NodeEffect = NetworkEffect | SpanEffect | { readonly do: 'observe' } | CensusEffect

/** The first census comes early, so that a short life has one. */
export interface CensusEffect {
  readonly do: 'census'
  readonly cause: 'started' | 'periodic'
}

/**
 * The port between the machines and a network: libp2p in a node, a virtual network in the simulator.
 * One conformance suite (`testing/suite/network-suite.ts`) tests both.
 */
export interface Network {
  /** Own peer id, as text. */
  readonly self: string
  start(deliver: (event: NetworkEvent) => void): Promise<void>
  stop(): Promise<void>
  /** Lists its connections, and changes nothing. */
  snapshot(): readonly ConnectionInfo[]
  /** A snapshot for the core: first compares its records with libp2p's state, since some changes have no event. */
  observe(): readonly ConnectionInfo[]
  /** Never throws: failures become events. */
  perform(effect: NetworkEffect): void
}
