import type { dialStages } from '../catalogue/attributes.ts'
import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { CloseReason, Digest, Frame } from './frames.ts'
import type { GossipLack, GossipState } from './gossip-repair.ts'
import type { LimitName } from './limit-spans.ts'
import type { TraceRef } from './trace.ts'

/** One connection as libp2p shows it: a snapshot of them all is what the ledger is levelled by. */
export interface ConnectionInfo {
  readonly id: string
  readonly peer: string
  readonly direction: 'inbound' | 'outbound'
  /** Remote multiaddr. */
  readonly address: string
  readonly transport: 'quic' | 'tcp' | 'memory' | 'other'
  /** What gossipsub has towards the peer. */
  readonly gossip: GossipState
  /** Identify has not succeeded on it yet. */
  readonly unidentified?: boolean
  /** Multiaddr at which the peer sees this node, by identify. */
  readonly observed?: string | undefined
  /** A relay carries it, within limits of time and bytes: the peer is a guest. */
  readonly limited?: boolean
  /** Other code of the application opened it, and the mesh may not close it. */
  readonly foreign?: boolean
}

export type DialStage = (typeof dialStages)[number]

export interface DialFailure {
  readonly stage: DialStage
  /** Addresses tried, names resolved. */
  readonly addresses: readonly string[]
  /** Of these the one whose failure this is; undefined where none was dialled. */
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

/** Which addresses of a peer answered in one dial, the one of the connection that stays first, and which did not. */
export interface PathReport {
  readonly worked: readonly string[]
  readonly failed: readonly PathFailure[]
}

/** A message that is meant to cross into other meshes, as bridges see it. The payload stays sealed. */
export interface Crossing {
  /** Origin and its sequence number: unique for good. */
  readonly id: string
  readonly origin: string
  readonly originMesh: string
  readonly topic: string
  /** Bridges passed so far. */
  readonly hops: number
  /** Origin’s signed envelope, unchanged from hop to hop. */
  readonly sealed: Uint8Array
  /** The origin's span of publishing it, if it told one: bridges link to it. */
  readonly trace?: TraceRef
}

/** Why the network would not keep a connection. */
export type RejectionReason = Extract<CloseReason, 'limit' | 'silent' | 'duplicate'>

/** A message that gossipsub did not send to one neighbour, and how many more there were since the last such event. */
export interface UnsentGossip {
  readonly peer: string
  /** It is larger than the neighbour takes, or too much waits already for a neighbour that reads slowly. */
  readonly reason: 'size' | 'backlog'
  readonly topic: string
  readonly bytes: number
  readonly limit: number
  /** Messages not sent since the last event, this one included. */
  readonly count: number
}

/** What the network tells the node. */
export type NetworkEvent =
  /** Connections may have changed: a hint to take a snapshot, nothing more. */
  | { readonly type: 'changed' }
  | { readonly type: 'observed'; readonly connections: readonly ConnectionInfo[] }
  /** The link stream is there (opened by the dialler, accepted by the listener). */
  | { readonly type: 'stream.open'; readonly connection: string }
  /** The other side does not speak the link protocol. */
  | { readonly type: 'stream.absent'; readonly connection: string }
  /** The link stream ended although the connection may live on. */
  | { readonly type: 'stream.closed'; readonly connection: string }
  | { readonly type: 'frame'; readonly connection: string; readonly frame: Frame; readonly wall: number }
  | { readonly type: 'frame.refused'; readonly connection: string; readonly reason: string; readonly flooding: boolean }
  /**
   * Not to be kept: its peer does not read (`limit`: `linkOutBytes`), lets no link stream open (`silent`), or another
   * address of the same dial was faster (`duplicate`). The ledger ends it.
   */
  | { readonly type: 'connection.rejected'; readonly connection: string; readonly reason: RejectionReason }
  /**
   * `address`: remote multiaddr of the connection. `elsewhere`: nothing was dialled, since the peer is connected already,
   * by this address that is none of the seed's.
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
  /** After a dial of several addresses that succeeded: what became of the others that were tried before. */
  | ({ readonly type: 'peer.paths'; readonly peer: string } & PathReport)
  /** The end of a `dial.back`; `errorType` is empty when it reached the peer. */
  | { readonly type: 'dialled.back'; readonly nonce: string; readonly errorType: string }
  /** A digest that came over gossip; `from` is the peer whose signature the message carries. */
  | {
      readonly type: 'gossip'
      readonly mesh: string
      readonly from: string
      readonly digest: Digest
      /** Unix milliseconds on receipt. */
      readonly wall: number
    }
  | { readonly type: 'crossing'; readonly mesh: string; readonly crossing: Crossing }
  /** A bound of the network's own was met: told at most once a second each. */
  | { readonly type: 'limit.reached'; readonly limit: LimitName; readonly action: 'refused' | 'closed' }
  /** Gossipsub had messages that a neighbour does not take, or that had no room: told at most once a second. */
  | ({ readonly type: 'gossip.unsent' } & UnsentGossip)
  /** A message that should have crossed but whose seal is broken. */
  | { readonly type: 'crossing.refused'; readonly mesh: string; readonly origin: string; readonly id: string }

/** What the node asks of the network. Nothing here answers; answers are events. */
export type NetworkEffect =
  /**
   * One attempt: all addresses of the seed, names resolved now; ends by identify within `limitMs`. `fresh`: a connection
   * to the same peer at another address is no answer.
   */
  | { readonly do: 'dial.seed'; readonly seed: string; readonly limitMs: number; readonly fresh?: true }
  | { readonly do: 'dial.peer'; readonly peer: string; readonly addresses: readonly string[]; readonly limitMs: number }
  /** A dial with sockets and an identity of its own, closed at once: whether the peer can be reached at this address. */
  | {
      readonly do: 'dial.back'
      readonly nonce: string
      readonly peer: string
      readonly address: string
      readonly limitMs: number
    }
  | { readonly do: 'open'; readonly connection: string }
  | { readonly do: 'send'; readonly connection: string; readonly frame: Frame }
  /** `abort` for a connection that is dead or hostile; otherwise what was sent is flushed first. */
  | { readonly do: 'close'; readonly connection: string; readonly abort: boolean }
  /** Have gossipsub open what is missing. */
  | { readonly do: 'heal'; readonly connection: string; readonly lack: GossipLack }
  | { readonly do: 'identify'; readonly connection: string }
  | { readonly do: 'gossip'; readonly mesh: string; readonly digest: Digest }
  | { readonly do: 'forward'; readonly mesh: string; readonly crossing: Crossing }

/** What happens to the node from its own side. */
export type OwnEvent =
  | { readonly type: 'started'; readonly settings: readonly string[] }
  | { readonly type: 'tick' }
  /** Topics the application listens to, and addresses the node can be dialled at, as they are now. */
  | { readonly type: 'profile'; readonly topics: readonly string[]; readonly addresses: readonly string[] }
  /** Where the transports listen, hosts of own interfaces, and whether neighbours may be asked to dial back. */
  | {
      readonly type: 'listening'
      readonly addresses: readonly string[]
      readonly hosts: readonly string[]
      readonly canRequest: boolean
    }
  | { readonly type: 'stopping' }

export type NodeEvent = NetworkEvent | OwnEvent

/** `observe`: take a snapshot of the connections. `census`: count what is held and tell it. */
export type NodeEffect = NetworkEffect | SpanEffect | { readonly do: 'observe' } | { readonly do: 'census' }

/**
 * The port between the machines and any network: libp2p in a node, a virtual one in the simulator.
 * One conformance suite (`testing/network-suite.ts`) says what both must do.
 */
export interface Network {
  /** Own peer id, as text. */
  readonly self: string
  start(deliver: (event: NetworkEvent) => void): Promise<void>
  stop(): Promise<void>
  snapshot(): readonly ConnectionInfo[]
  /** Never throws: what fails becomes an event. */
  perform(effect: NetworkEffect): void
}
