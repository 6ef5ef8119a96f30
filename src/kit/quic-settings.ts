import type { quic } from '@libp2p/quic'

/**
 * For a listener's connections to drain once they are closed, milliseconds; its stop waits for all of them. On loopback
 * they do at once, far away within some round trips. A handshake that got no further knows of no round trip and takes
 * three seconds, which is longer than a whole stop may. A native library before 2.1.4 has no such bound and ignores
 * this; from then on it is required.
 */
const shutdownTimeout = 400

/** Death is seen by probes; the times are what a peer without them needs, and what go and rust use. */
export const quicSettings = { shutdownTimeout, maxIdleTimeout: 10_000, keepAliveInterval: 5_000 } as Parameters<
  typeof quic
>[0]
