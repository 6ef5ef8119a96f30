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
  /**
   * Tells the starts of one identity apart: others believe only the highest. By default the wall clock’s seconds at the
   * start, and in one process higher at every start; a node that keeps its key and may find its clock set back needs a
   * count of its own.
   */
  readonly incarnation?: number
  /** Where the services are found in `services`; `identify` and `pubsub` by default. The latter may be missing. */
  readonly services?: { readonly identify?: string; readonly pubsub?: string }
  /**
   * Endpoint of an OTLP/gRPC receiver, or `off`. By default what `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or
   * `OTEL_EXPORTER_OTLP_ENDPOINT` names, then `http://127.0.0.1:4317`.
   */
  readonly otlp?: string
  /**
   * Share of the minutes, 0 to 1, whose routine spans (sweeps, windows, registries) leave the node; by default what
   * `OTEL_TRACES_SAMPLER` says, or all. Every other span always leaves.
   */
  readonly traceRoutine?: number | undefined
  /**
   * One or several of the application’s own span processors, of SDK 1.x, 2 or 3, such as a
   * `BatchSpanProcessor`. They get every span, and `otlp` means nothing; flushing and closing them stays with the
   * application.
   */
  readonly spanProcessor?: SpanProcessors
  /** Telemetry that the caller has started, and will close. Then `otlp` and `spanProcessor` mean nothing. */
  readonly telemetry?: Telemetry
  /** Gets a line for what is told as a span, with the ids of its trace; silent by default. */
  readonly logger?: MeshLogger
  readonly stalenessMs?: number
  readonly sweepMs?: number
  readonly digestMs?: number
  readonly gossipDigestMs?: number
  /** Links wanted. */
  readonly neighbours?: number
  readonly maxPeers?: number
  /** Largest payload that `publish` and `request` take. */
  readonly messageBytes?: number
  /**
   * Connections that the mesh may close: those that it dialled itself (`own`, the default), or also those that other code
   * of the application opened (`all`). One that it may not close it leaves: no link, and the connection goes on.
   */
  readonly closes?: 'own' | 'all'
  /**
   * Bytes that peers take in one RPC of gossipsub, by a part of the agent version they give, where the default is wrong:
   * 4 MiB for js, 64 KiB for rust, 1 MiB for go and all others. A message that is larger is not sent to such a peer.
   */
  readonly gossipLimits?: readonly AgentLimit[]
  /** Resolves the names of seeds; the system’s resolver by default. */
  readonly lookup?: Lookup
  readonly clock?: Clock
  readonly random?: Random
  /** Process settings that are not as recommended, for the span of the start. */
  readonly settings?: readonly string[]
  /** What it is to do wrong on purpose, for drills of alerts; nothing by default. */
  readonly faults?: readonly Fault[]
}

/** With every default filled in. */
export type ResolvedOptions = Required<Omit<TracemeshInit, Optional | 'name'>> &
  Pick<TracemeshInit, Optional> & { readonly name: string }

type Optional = 'bridgeTo' | 'otlp' | 'telemetry' | 'traceRoutine' | 'spanProcessor' | 'lookup' | 'incarnation'

/**
 * Of the start that comes now; `last` is that of the one before in this process. Two starts in one second, or a clock
 * that was set back, make it no lower.
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
