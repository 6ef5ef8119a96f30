import type { quic } from '@libp2p/quic'

/**
 * Milliseconds for a listener's closed connections to drain; its stop waits for all of them. On loopback they drain at
 * once, over a long path within some round trips. An unfinished handshake has no measured round trip and takes three
 * seconds, longer than a complete stop may. Native libraries before 2.1.4 ignore this; later ones require it.
 */
const shutdownTimeout = 400

/** Probes detect dead peers; these times serve peers without probes, and equal those of go and rust. */
export const quicSettings = { shutdownTimeout, maxIdleTimeout: 10_000, keepAliveInterval: 5_000 } as Parameters<
  typeof quic
>[0]
