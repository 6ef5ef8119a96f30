import type { Role } from '../catalogue/roles.ts'
import { limits } from '../core/limits.ts'
import type { Clock, Random } from '../core/machine.ts'
import type { SpanProcessors } from '../telemetry/forwarding-span-processor.ts'
import { type MeshLogger, silentLogger } from '../telemetry/log.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { systemClock } from './clock.ts'
import type { Fault } from './faults.ts'
import type { AgentLimit } from './gossip-limits.ts'
import type { Lookup } from './resolve.ts'

/** Options of the mesh; each has a default. Durations are milliseconds. */
export interface TracemeshInit {
  /** Mesh this node belongs to; `mesh-a` by default. */
  readonly mesh?: string
  /** Second mesh, for a bridge. */
  readonly bridgeTo?: string | undefined
  /** Name of the node in traces; by default its role and the end of its peer id. */
  readonly name?: string
  /** A label with a meaning only for `seed` and `bridge`; `compute` by default. */
  readonly role?: Role
  /** Multiaddrs, with or without `/p2p/<id>`. */
  readonly seeds?: readonly string[]
  /**
   * Distinguishes the starts of one identity: other nodes accept only the highest. By default the wall clock’s seconds
   * at the start, and higher at every start within one process. A node that keeps its key while its clock may be set
   * back needs a counter of its own.
   */
  readonly incarnation?: number
  /** Names of the two services in libp2p; `identify` and `pubsub` by default. The latter may be missing. */
  readonly services?: { readonly identify?: string; readonly pubsub?: string }
  /**
   * Endpoint of an OTLP/gRPC receiver, or `off`. By default `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, then
   * `OTEL_EXPORTER_OTLP_ENDPOINT`, then `http://127.0.0.1:4317`.
   */
  readonly otlp?: string
  /**
   * Share of the minutes, 0 to 1, whose routine spans (sweeps, windows, registries) the node exports; by default that
   * of `OTEL_TRACES_SAMPLER`, or all. It always exports every other span.
   */
  readonly traceRoutine?: number | undefined
  /**
   * One or several span processors of the application, of SDK 1.x, 2 or 3, such as a `BatchSpanProcessor`. They get
   * every span, and the mesh ignores `otlp`; the application flushes and closes them.
   */
  readonly spanProcessor?: SpanProcessors
  /** Telemetry that the caller starts and closes. The mesh then ignores `otlp` and `spanProcessor`. */
  readonly telemetry?: Telemetry
  /** Logs a line per span, with its trace ids; silent by default. */
  readonly logger?: MeshLogger
  readonly stalenessMs?: number
  readonly sweepMs?: number
  readonly digestMs?: number
  readonly gossipDigestMs?: number
  /** Links that the node wants. */
  readonly neighbours?: number
  readonly maxPeers?: number
  /** Largest payload that `publish` and `request` accept. */
  readonly messageBytes?: number
  /**
   * Connections that the mesh may close: those that it dialled itself (`own`, the default), or also those that other
   * code of the application opened (`all`). Any other one it leaves to the application: without a link, but open.
   */
  readonly closes?: 'own' | 'all'
  /**
   * Bytes that peers accept in one gossipsub RPC, by a part of their agent version, where the default is wrong: 4 MiB
   * for js, 64 KiB for rust, 1 MiB for go and all others. The mesh does not send a larger message to such a peer.
   */
  readonly gossipLimits?: readonly AgentLimit[]
  /** Resolves the names of seeds; the system’s resolver by default. */
  readonly lookup?: Lookup
  readonly clock?: Clock
  readonly random?: Random
  /** Process settings that differ from the recommended ones, for the span of the start. */
  readonly settings?: readonly string[]
  /** Faults to inject, for drills of alerts; none by default. */
  readonly faults?: readonly Fault[]
}

/** With every default filled in. */
export type ResolvedOptions = Required<Omit<TracemeshInit, Optional | 'name'>> &
  Pick<TracemeshInit, Optional> & { readonly name: string }

type Optional = 'bridgeTo' | 'otlp' | 'telemetry' | 'traceRoutine' | 'spanProcessor' | 'lookup' | 'incarnation'

/**
 * The incarnation of the next start; `last` is the previous one in this process. It rises even with two starts in one
 * second or a clock that was set back.
 *
 * @param wall Unix milliseconds.
 */
export function nextIncarnation(init: Pick<TracemeshInit, 'incarnation'>, last: number, wall: number): number {
  return Math.max(last + 1, init.incarnation ?? Math.floor(wall / 1_000))
}

/** `peer`: own peer id. */
export function resolveOptions(init: TracemeshInit, peer: string): ResolvedOptions {
  const role = init.role ?? 'compute'
  return {
    mesh: 'mesh-a',
    seeds: [],
    services: {},
    logger: silentLogger,
    stalenessMs: 30_000,
    sweepMs: 5_000,
    digestMs: 2_000,
    gossipDigestMs: 10_000,
    neighbours: 8,
    maxPeers: limits.peers,
    closes: 'own',
    messageBytes: limits.messageBytes,
    gossipLimits: [],
    clock: systemClock,
    random: Math.random,
    settings: [],
    faults: [],
    ...init,
    role,
    name: init.name ?? `${role}-${peer.slice(-4)}`,
    bridgeTo: init.bridgeTo,
  }
}
