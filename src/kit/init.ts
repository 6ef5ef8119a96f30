import type { Logger } from 'pino'
import type { Role } from '../core/frames.ts'
import { limits } from '../core/limits.ts'
import type { Clock, Random } from '../core/machine.ts'
import { createLogger } from '../telemetry/log.ts'
import type { ProviderFactory } from '../telemetry/provider.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { systemClock } from './clock.ts'
import type { Lookup } from './resolve.ts'

/** What an application may tell the mesh; everything has a default. Durations are milliseconds. */
export interface TracemeshInit {
  /** Mesh this node belongs to; `mesh-a` by default. */
  readonly mesh?: string
  /** Second mesh, for a bridge. */
  readonly bridgeTo?: string | undefined
  /** What the node calls itself in traces; by default its role and the end of its peer id. */
  readonly name?: string
  /** A label with a meaning only for `seed` and `bridge`; `compute` by default. */
  readonly role?: Role
  /** Multiaddrs, with or without `/p2p/<id>`. */
  readonly seeds?: readonly string[]
  /** Starts of this identity so far. Leave it out for a node with a fresh key; it must rise for one that keeps its key. */
  readonly incarnation?: number
  /** Where the services are found in `services`; `identify` and `pubsub` by default. The latter may be missing. */
  readonly services?: { readonly identify?: string; readonly pubsub?: string }
  /** Endpoint of an OTLP/gRPC receiver, or `off`; `http://127.0.0.1:4317` by default. */
  readonly otlp?: string
  /** Where the tracer comes from: a private one by default, so that the application’s global one is left alone. */
  readonly provider?: ProviderFactory
  /** Telemetry that the caller has started, and will close. Then `otlp` and `provider` mean nothing. */
  readonly telemetry?: Telemetry
  /** Gets a line for what is told as a span, with the ids of its trace; silent by default. */
  readonly logger?: Logger
  readonly stalenessMs?: number
  readonly sweepMs?: number
  readonly digestMs?: number
  readonly gossipDigestMs?: number
  /** Links wanted. */
  readonly neighbours?: number
  readonly maxPeers?: number
  /** Largest payload that `publish` and `request` take. */
  readonly messageBytes?: number
  /** Resolves the names of seeds; the system’s resolver by default. */
  readonly lookup?: Lookup
  readonly clock?: Clock
  readonly random?: Random
  /** Process settings that are not as recommended, for the span of the start. */
  readonly settings?: readonly string[]
}

/** With every default filled in. */
export type Settled = Required<Omit<TracemeshInit, 'bridgeTo' | 'telemetry' | 'provider' | 'name' | 'lookup'>> &
  Pick<TracemeshInit, 'bridgeTo' | 'telemetry' | 'provider' | 'lookup'> & { readonly name: string }

/** `peer`: own peer id. */
export function settle(init: TracemeshInit, peer: string): Settled {
  const role = init.role ?? 'compute'
  return {
    mesh: 'mesh-a',
    seeds: [],
    incarnation: 1,
    services: {},
    otlp: 'http://127.0.0.1:4317',
    logger: createLogger({ level: 'silent' }),
    stalenessMs: 30_000,
    sweepMs: 5_000,
    digestMs: 2_000,
    gossipDigestMs: 10_000,
    neighbours: 8,
    maxPeers: limits.peers,
    messageBytes: limits.messageBytes,
    clock: systemClock,
    random: Math.random,
    settings: [],
    ...init,
    role,
    name: init.name ?? `${role}-${peer.slice(-4)}`,
    bridgeTo: init.bridgeTo,
  }
}
