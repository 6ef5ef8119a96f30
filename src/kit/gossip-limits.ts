/** Bytes of one RPC that peers of an implementation take. */
export interface AgentLimit {
  /** Part of the agent version that identify gives, in any case. */
  readonly agent: string
  readonly bytes: number
}

const mib = 1_048_576

/**
 * Defaults of the implementations: `max_transmit_size` of rust, `WithMaxMessageSize` of go, and the longest frame that
 * js decodes when its `maxInboundDataLength` is not set.
 */
const defaults: readonly AgentLimit[] = [
  { agent: 'rust-libp2p', bytes: 65_536 },
  { agent: 'js-libp2p', bytes: 4 * mib },
  { agent: 'tracemesh', bytes: 4 * mib },
  { agent: 'helia', bytes: 4 * mib },
]

/** Of go, nim and the JVM; what is unknown is likely to be one of them under a name of its own. */
const unknownAgentBytes = mib

/** No peer takes less, so what is smaller needs no look at who the peer is. */
export function smallestLimit(overrides: readonly AgentLimit[] = []): number {
  return Math.min(...[...overrides, ...defaults].map(({ bytes }) => bytes))
}

/** The largest RPC to send to a peer of this agent version; the first of `overrides` that fits wins. */
export function rpcLimit(agent: string | undefined, overrides: readonly AgentLimit[] = []): number {
  const name = agent?.toLowerCase()
  const fits = (one: AgentLimit) => name?.includes(one.agent.toLowerCase())
  return [...overrides, ...defaults].find(fits)?.bytes ?? unknownAgentBytes
}
