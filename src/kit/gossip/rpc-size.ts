import { RPC } from '@chainsafe/libp2p-gossipsub/message'

/** A message that exceeds the RPC limit by itself. */
interface OversizedMessage {
  readonly topic: string
  /** Bytes of the RPC that would carry it alone. */
  readonly bytes: number
}

export interface RpcPart {
  readonly bytes: Uint8Array
  /** Topics of its messages; empty for subscriptions and control messages. */
  readonly topics: readonly string[]
}

interface SplitRpc {
  /** Encoded RPCs that together carry the original one, without the oversized messages. */
  readonly parts: readonly RpcPart[]
  readonly oversized: readonly OversizedMessage[]
}

/** Message ids per IHAVE or IWANT: a dozen KiB with ids of the usual length. */
const idsPerPart = 256
/** Tag and length of a control message within an RPC. */
const controlOverhead = 8

interface SplitSizes {
  /** Limit of one RPC: larger messages are oversized. */
  readonly limit: number
  /** Limit of a part with several messages; a larger message within `limit` goes alone. */
  readonly partBytes: number
}

/**
 * Splits an encoded RPC. Protobuf concatenates the repeated fields of successive encodings, so it encodes subscriptions
 * and messages one by one and packs them in order; control messages follow.
 */
export function splitRpc(encoded: Uint8Array, { limit, partBytes }: SplitSizes): SplitRpc {
  const rpc = RPC.decode(encoded)
  const subscriptions = rpc.subscriptions.map((one) =>
    withoutTopics(RPC.encode({ subscriptions: [one], messages: [] })),
  )
  const messages = rpc.messages.map((one) => ({
    topics: [one.topic],
    bytes: RPC.encode({ subscriptions: [], messages: [one] }),
  }))
  const oversized = messages.filter(({ bytes }) => bytes.length > limit)
  const fitting = messages.filter(({ bytes }) => bytes.length <= limit)
  return {
    parts: [...pack(subscriptions, partBytes), ...pack(fitting, partBytes), ...controlParts(rpc.control, partBytes)],
    oversized: oversized.map(({ topics: [topic = ''], bytes }) => ({ topic, bytes: bytes.length })),
  }
}

/** Protobuf tag of the `messages` field, length-delimited. */
const messageTag = 0x12

/** Whether the RPC is one message and nothing else. */
export function isOneMessage(encoded: Uint8Array): boolean {
  if (encoded[0] !== messageTag) return false
  let length = 0
  let at = 1
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = encoded[at++] ?? 0
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  return at + length === encoded.length
}

function controlParts(control: RPC.ControlMessage | undefined, partBytes: number): RpcPart[] {
  if (control === undefined) return []
  const none: RPC.ControlMessage = { ihave: [], iwant: [], graft: [], prune: [], idontwant: [] }
  const pieces: RPC.ControlMessage[] = [
    ...control.graft.map((one) => ({ ...none, graft: [one] })),
    ...control.prune.map((one) => ({ ...none, prune: [one] })),
    ...control.ihave.flatMap((one) =>
      chunks(one.messageIDs).map((messageIDs) => ({ ...none, ihave: [{ ...one, messageIDs }] })),
    ),
    ...control.iwant.flatMap((one) =>
      chunks(one.messageIDs).map((messageIDs) => ({ ...none, iwant: [{ messageIDs }] })),
    ),
    ...control.idontwant.flatMap((one) =>
      chunks(one.messageIDs).map((messageIDs) => ({ ...none, idontwant: [{ messageIDs }] })),
    ),
  ]
  const encoded = pieces.map((piece) => withoutTopics(RPC.ControlMessage.encode(piece)))
  // Not every decoder merges two control messages of one RPC, so each part has one.
  return pack(encoded, partBytes - controlOverhead).map(({ bytes }) =>
    withoutTopics(RPC.encode({ subscriptions: [], messages: [], control: RPC.ControlMessage.decode(bytes) })),
  )
}

function withoutTopics(bytes: Uint8Array): RpcPart {
  return { bytes, topics: [] }
}

/** Joins successive pieces up to `partBytes`. */
function pack(pieces: readonly RpcPart[], partBytes: number): RpcPart[] {
  const groups: RpcPart[][] = []
  let roomLeft = 0
  for (const piece of pieces) {
    if (piece.bytes.length > roomLeft) {
      groups.push([])
      roomLeft = partBytes
    }
    groups.at(-1)?.push(piece)
    roomLeft -= piece.bytes.length
  }
  return groups.map((group) => ({
    bytes: Buffer.concat(group.map(({ bytes }) => bytes)),
    topics: group.flatMap(({ topics }) => topics),
  }))
}

function chunks(ids: readonly Uint8Array[]): Uint8Array[][] {
  const count = Math.ceil(ids.length / idsPerPart)
  return Array.from({ length: count }, (_, index) => ids.slice(index * idsPerPart, (index + 1) * idsPerPart))
}

/** Bytes of one RPC that peers of an implementation accept. */
export interface AgentLimit {
  /** Part of the agent version from identify, case-insensitive. */
  readonly agent: string
  readonly bytes: number
}

const mib = 1_048_576

/**
 * Defaults of the implementations: `max_transmit_size` of rust, `WithMaxMessageSize` of go, and the longest frame that
 * js decodes without `maxInboundDataLength`.
 */
const defaults: readonly AgentLimit[] = [
  { agent: 'rust-libp2p', bytes: 65_536 },
  { agent: 'js-libp2p', bytes: 4 * mib },
  { agent: 'tracemesh/', bytes: 4 * mib },
  { agent: 'helia', bytes: 4 * mib },
]

/** The limit of go, nim and the JVM; an unknown agent is likely one of them under another name. */
const unknownAgentBytes = mib

/** Every peer accepts this much, so smaller RPCs need no lookup of the peer's agent. */
export function smallestLimit(overrides: readonly AgentLimit[] = []): number {
  return Math.min(...[...overrides, ...defaults].map(({ bytes }) => bytes))
}

/** The largest RPC to send to a peer of this agent version; the first match in `overrides` wins. */
export function rpcLimit(agent: string | undefined, overrides: readonly AgentLimit[] = []): number {
  const name = agent?.toLowerCase()
  const matches = (one: AgentLimit) => name?.includes(one.agent.toLowerCase())
  return [...overrides, ...defaults].find(matches)?.bytes ?? unknownAgentBytes
}
