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
  { agent: 'tracemesh', bytes: 4 * mib },
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
