import * as z from 'zod/mini'
import { type Role, roles } from '../catalogue/roles.ts'
import type { AdmissionOptions } from '../core/credentials/admission-rules.ts'
import { MeshError, quote } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Clock, Random } from '../core/machine.ts'
import type { TimerReader } from '../evidence/timers.ts'
import type { SpanProcessors } from '../telemetry/forwarding-span-processor.ts'
import { type MeshLogger, silentLogger } from '../telemetry/log.ts'
import { describeEndpointFault } from '../telemetry/otlp-settings.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { systemClock } from './clock.ts'
import type { TrustSource } from './credentials/trust.ts'
import { type Fault, faultNames } from './faults.ts'
import type { AgentLimit } from './gossip/rpc-size.ts'
import { checkPeerLimits, type LimitOptions, limitRules } from './limits/limit-options.ts'
import { isMultiaddr, type Lookup } from './multiaddrs.ts'
import { name, oneOf, otlpEndpointOrOff, type Rule, share, whole } from './rules.ts'

/**
 * Options of the mesh service; each has a default.
 *
 * @example A member of a mesh
 *
 * ```typescript
 * tracemesh({ mesh: 'mesh-a', seeds: ['/ip4/10.0.0.1/tcp/4001'] })
 * ```
 *
 * @example A bridge between two meshes
 *
 * ```typescript
 * tracemesh({ role: 'bridge', mesh: 'mesh-a', bridgeTo: 'mesh-b', seeds: ['/dns4/seed.example.org/tcp/4001'] })
 * ```
 *
 * @example Spans through the application's own OpenTelemetry SDK
 *
 * ```typescript
 * const processor = new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })
 * tracemesh({ spanProcessor: processor })
 * ```
 */
export interface TracemeshInit extends LimitOptions {
  /**
   * Mesh that this node belongs to: nodes of different meshes refuse each other. 1 to 64 letters, digits, dots, dashes
   * or underscores, beginning with a letter or digit.
   *
   * @default 'mesh-a'
   */
  readonly mesh?: string
  /** Second mesh, for a bridge. The role `bridge` requires it. */
  readonly bridgeTo?: string | undefined
  /** Name of the node in traces, as for `mesh`. By default its role and the end of its peer id. */
  readonly name?: string
  /**
   * A label. In an application only `seed` and `bridge` change what the node does.
   *
   * @default 'compute'
   */
  readonly role?: Role
  /**
   * Multiaddrs of nodes to join at, with or without `/p2p/<id>`; at most 32. The node dials them until they answer.
   *
   * @default []
   *
   * @example
   *
   * ```typescript
   * seeds: ['/dns4/seed.example.org/udp/4001/quic-v1', '/ip4/10.0.0.1/tcp/4001']
   * ```
   */
  readonly seeds?: readonly string[]
  /**
   * Distinguishes the starts of one identity: other nodes accept only the highest. By default the wall clock’s seconds
   * at the start, and higher at every start within one process. A node that keeps its key while its clock may be set
   * back needs a counter of its own.
   */
  readonly incarnation?: number
  /**
   * Names of three services in libp2p. Pubsub and DHT may be missing, pubsub unless this names it.
   *
   * @default { identify: 'identify', pubsub: 'pubsub', dht: 'dht' }
   */
  readonly services?: ServiceNames
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
  /**
   * Gets a line per span, with its trace ids, and the warnings of the node: a pino logger, or an object with its
   * methods. By default the lines go to libp2p's log under `tracemesh`, which prints those that the environment
   * variable `DEBUG` selects: `DEBUG=tracemesh*`, or `DEBUG=tracemesh:error` for warnings and errors.
   */
  readonly logger?: MeshLogger
  /**
   * Milliseconds after which a silent member expires, 1,000 to 3,600,000; longer for a member that sends rarely.
   *
   * @default 30_000
   */
  readonly stalenessMs?: number
  /**
   * Milliseconds between two sweeps for silent members, 100 to 600,000.
   *
   * @default 5_000
   */
  readonly sweepMs?: number
  /**
   * Milliseconds between two digests on a link, 100 to 600,000.
   *
   * @default 2_000
   */
  readonly digestMs?: number
  /**
   * Milliseconds between two digests over gossip, 500 to 600,000.
   *
   * @default 10_000
   */
  readonly gossipDigestMs?: number
  /**
   * Links that the node wants, 0 to 64. With 0 it dials seeds only.
   *
   * @default 8
   */
  readonly neighbours?: number
  /**
   * Largest payload in bytes that `publish` and `request` accept, 64 to 60,000.
   *
   * @default 60_000
   */
  readonly messageBytes?: number
  /**
   * Connections that the mesh may close: those that it dialled itself (`own`), or also those that other code of the
   * application opened (`all`). Any other one it leaves to the application: without a link, but open.
   *
   * @default 'own'
   */
  readonly closes?: 'own' | 'all'
  /**
   * Records of absent peers that the mesh removes from libp2p's peer store, which itself removes none: those of peers
   * that only the mesh dialled and of members that dialled this node (`own`), unless the application tagged them; all
   * without a `keep-alive` tag (`all`); or none (`off`). The mesh needs none of them.
   *
   * @default 'own'
   */
  readonly sweep?: 'own' | 'all' | 'off'
  /**
   * Bytes that peers accept in one gossipsub RPC, by a part of their agent version, where the default is wrong: 4 MiB
   * for js, 64 KiB for rust, 1 MiB for go and all others. The mesh does not send a larger message to such a peer.
   *
   * @default []
   */
  readonly gossipLimits?: readonly AgentLimit[]
  /**
   * Whether the mesh removes peers without a connection from gossipsub’s tables, remembers the penalties and backoffs of
   * those that left, and bounds what a peer may ask of gossipsub.
   *
   * @default true
   */
  readonly gossipSweep?: boolean
  /**
   * Whether the mesh checks that streams open on its connections and closes one on which none does, and lets a QUIC
   * listener be in several handshakes at once.
   *
   * @default true
   */
  readonly watchdog?: boolean
  /**
   * Whether to sample the heap for 15 s when a leak is suspected, at most once in ten minutes, and to emit the functions
   * whose allocations are still in use. At the end of a sample V8 collects all garbage, some 50 ms.
   *
   * @default false
   */
  readonly heapSites?: boolean
  /** Resolves the names of seeds; the system’s resolver by default. */
  readonly lookup?: Lookup
}

/** Names under which an application has the services that the mesh uses. */
export interface ServiceNames {
  /**
   * The identify service, which the mesh requires.
   *
   * @default 'identify'
   */
  readonly identify?: string
  /**
   * The gossipsub service.
   *
   * @default 'pubsub'
   */
  readonly pubsub?: string
  /**
   * The service of @libp2p/kad-dht: the mesh keeps the records of the peers in its table.
   *
   * @default 'dht'
   */
  readonly dht?: string
}

/** Options for the code of this repository: its nodes, laboratories and tests. */
export interface InternalInit extends TracemeshInit {
  /** Telemetry that the caller starts and closes. The mesh then ignores `otlp` and `spanProcessor`. */
  readonly telemetry?: Telemetry
  readonly clock?: Clock
  readonly random?: Random
  /** Process settings that differ from the recommended ones, for the span of the start. */
  readonly settings?: readonly string[]
  /** Counts all timers of the process, for the census; without it only those that keep the process alive. */
  readonly timers?: TimerReader | undefined
  /** Milliseconds between two sweeps of the peer store, 100 to 600,000; two minutes by default. */
  readonly peerStoreSweepMs?: number
  /** Faults to inject, for drills of alerts. */
  readonly faults?: readonly Fault[]
  /** Bytes that all limits together allow, for the span of the start. */
  readonly capsBytes?: number | undefined
  /** Who may join; everybody by default. */
  readonly admission?: (AdmissionOptions & { readonly source: TrustSource }) | undefined
}

/** With every default filled in. */
export type ResolvedOptions = Required<Omit<InternalInit, Optional | 'name'>> &
  Pick<InternalInit, Optional> & { readonly name: string }

type Optional =
  | 'peerStoreSweepMs'
  | 'bridgeTo'
  | 'otlp'
  | 'telemetry'
  | 'traceRoutine'
  | 'spanProcessor'
  | 'lookup'
  | 'incarnation'
  | 'capsBytes'
  | 'admission'
  | Exclude<keyof LimitOptions, 'connectionsHigh'>
  | 'timers'

/** The meshes of a node: two for a bridge. */
export function meshesOf({ mesh, bridgeTo }: Pick<ResolvedOptions, 'mesh' | 'bridgeTo'>): readonly string[] {
  return bridgeTo === undefined ? [mesh] : [mesh, bridgeTo]
}

/**
 * @param peer Own peer id.
 * @param logger Used without the option `logger`.
 */
export function resolveOptions(init: InternalInit, peer: string, logger: MeshLogger = silentLogger): ResolvedOptions {
  const role = init.role ?? 'compute'
  return {
    mesh: 'mesh-a',
    seeds: [],
    services: {},
    logger,
    stalenessMs: 30_000,
    sweepMs: 5_000,
    digestMs: 2_000,
    gossipDigestMs: 10_000,
    neighbours: 8,
    connectionsHigh: init.maxPeers ?? limits.peers,
    closes: 'own',
    sweep: 'own',
    messageBytes: limits.messageBytes,
    gossipLimits: [],
    gossipSweep: true,
    watchdog: true,
    heapSites: false,
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

const agentLimitsMax = 32
const agentBytesMax = 64 * 1_048_576
const agentLimit = z.object({
  agent: z.string().check(z.minLength(1), z.maxLength(limits.nameLength)),
  bytes: z.int().check(z.minimum(1_024), z.maximum(agentBytesMax)),
})

/**
 * Rules of the options that both an application and the command line may set. Left out of the published types, which
 * would require zod.
 *
 * @internal
 */
export const initRules = {
  mesh: name(),
  bridgeTo: name(),
  name: name(),
  role: oneOf(roles),
  otlp: otlpEndpointOrOff(),
  traceRoutine: share(),
  stalenessMs: whole(1_000, 3_600_000, 'milliseconds'),
  sweepMs: whole(100, 600_000, 'milliseconds'),
  digestMs: whole(100, 600_000, 'milliseconds'),
  gossipDigestMs: whole(500, 600_000, 'milliseconds'),
  neighbours: whole(1, 64, 'links'),
  ...limitRules,
  messageBytes: whole(64, limits.messageBytes, 'bytes'),
  gossipLimits: {
    expected: `at most ${agentLimitsMax} of { agent, bytes }: part of an agent version, and 1024 to ${agentBytesMax} bytes`,
    schema: z.readonly(z.array(agentLimit).check(z.maxLength(agentLimitsMax))),
  },
  faults: {
    expected: `any of ${faultNames.join(', ')}`,
    schema: z.readonly(z.array(z.enum(faultNames)).check(z.maxLength(faultNames.length))),
  },
} as const satisfies { readonly [K in keyof InternalInit]?: Rule<unknown> }

/** Other bounds for an application: it may bring its own transports, dial by itself, and count its own starts. */
const applicationRules: { readonly [K in keyof InternalInit]?: Rule<unknown> } = {
  ...initRules,
  neighbours: whole(0, 64, 'links'),
  maxPeers: limitRules.connectionsHigh,
  seeds: {
    expected: `at most ${limits.seeds} multiaddrs`,
    schema: z.array(z.string().check(z.refine(isMultiaddr))).check(z.maxLength(limits.seeds)),
  },
  incarnation: whole(0, Number.MAX_SAFE_INTEGER),
  closes: oneOf(['own', 'all']),
  gossipSweep: { expected: 'true or false', schema: z.boolean() },
  watchdog: { expected: 'true or false', schema: z.boolean() },
  sweep: oneOf(['own', 'all', 'off']),
  peerStoreSweepMs: whole(100, 600_000, 'milliseconds'),
  heapSites: { expected: 'true or false', schema: z.boolean() },
}

/** Options that only the code of this repository has. */
const internalOptions = [
  'telemetry',
  'clock',
  'random',
  'settings',
  'timers',
  'peerStoreSweepMs',
  'faults',
  'capsBytes',
  'admission',
] as const satisfies (keyof InternalInit)[]

/** `validateInternalInit` for an application: throws MESH_CONFIG_INVALID for an internal option, too. */
export function validateInit(init: TracemeshInit): TracemeshInit {
  const key = internalOptions.find((name) => (init as InternalInit)[name] !== undefined)
  if (key === undefined) return validateInternalInit(init)
  throw new MeshError('MESH_CONFIG_INVALID', { key, given: 'set', expected: 'only the options of `TracemeshInit`' })
}

/**
 * The options without those that are `undefined`, which would override a default. Throws MESH_CONFIG_INVALID for the
 * first value that is not allowed.
 */
export function validateInternalInit(init: InternalInit): InternalInit {
  const entries = Object.entries(init).filter(([, value]) => value !== undefined)
  for (const [key, value] of entries) {
    const rule = applicationRules[key as keyof InternalInit]
    // The caller's telemetry has its own endpoint.
    const isUnused = key === 'otlp' && init.telemetry !== undefined
    if (rule === undefined || isUnused || rule.schema.safeParse(value).success) continue
    const fault = key === 'otlp' && typeof value === 'string' ? describeEndpointFault(value) : undefined
    throw new MeshError('MESH_CONFIG_INVALID', { key, given: fault ?? formatValue(value), expected: rule.expected })
  }
  const { role, mesh = 'mesh-a', bridgeTo } = init
  if (bridgeTo !== undefined && bridgeTo === mesh) {
    throw new MeshError('MESH_CONFIG_INVALID', {
      key: 'bridgeTo',
      given: formatValue(bridgeTo),
      expected: 'another mesh than `mesh`',
    })
  }
  if (role === 'bridge' && bridgeTo === undefined) {
    const expected = 'the second mesh, since the role is bridge'
    throw new MeshError('MESH_CONFIG_INVALID', { key: 'bridgeTo', given: 'not set', expected })
  }
  checkPeerLimits(init)
  return Object.fromEntries(entries) as InternalInit
}

/** JSON cannot represent Infinity and functions. */
function formatValue(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
