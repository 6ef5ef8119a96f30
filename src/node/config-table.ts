import type * as z from 'zod'
import { limits } from '../core/limits.ts'
import { initRules } from '../kit/init-rules.ts'
import { endpointOrOff, oneOf, whole } from '../kit/rules.ts'
import * as check from './config-schemas.ts'

/** One setting: where it comes from, what it is when nobody says, and what it means. */
export interface Setting extends check.Check<unknown> {
  readonly env: string
  /** Left out where a value has no business in a process list. */
  readonly flag?: string
  /** As it would be written in the environment; left out when there is no default. */
  readonly fallback?: string
  /** Said in place of a default that is worked out at start. */
  readonly fallbackText?: string
  readonly about: string
}

/** Every setting of a node, declared once: parsing, `--help` and `docs/configuration.md` come from here. */
export const configTable = {
  mesh: {
    env: 'MESH_ID',
    flag: '--mesh',
    fallback: 'mesh-a',
    ...initRules.mesh,
    about: 'Mesh to be in: nodes of another mesh are refused. Also the service name in traces.',
  },
  bridgeTo: {
    env: 'MESH_BRIDGE_TO',
    flag: '--bridge-to',
    ...initRules.bridgeTo,
    about: 'Second mesh of a bridge. Needed by the role bridge, refused for any other.',
  },
  name: {
    env: 'MESH_NAME',
    flag: '--name',
    fallbackText: 'role and four random characters',
    ...initRules.name,
    about: 'Name of this node in spans, logs and on the admin page.',
  },
  role: {
    env: 'MESH_ROLE',
    flag: '--role',
    fallback: 'compute',
    ...initRules.role,
    about: 'What this node is for.',
  },
  seeds: {
    env: 'MESH_SEEDS',
    flag: '--seed',
    fallback: '',
    ...check.addresses('dial', limits.seeds),
    about: 'Where the mesh is found. Names are resolved before every attempt.',
  },
  listen: {
    env: 'MESH_LISTEN',
    flag: '--listen',
    fallback: '/ip4/0.0.0.0/udp/0/quic-v1,/ip4/0.0.0.0/tcp/0,/ip6/::/udp/0/quic-v1,/ip6/::/tcp/0',
    ...check.addresses('listen', limits.digestAddresses),
    about: 'Addresses to listen at.',
  },
  announce: {
    env: 'MESH_ANNOUNCE',
    flag: '--announce',
    fallback: '',
    ...check.addresses('dial', limits.digestAddresses),
    about: 'Addresses that the node announces in place of those it listens at: for containers and behind NAT.',
  },
  identity: {
    env: 'MESH_IDENTITY',
    flag: '--identity',
    fallbackText: 'a new identity at every start',
    ...check.filePath(),
    about:
      'Key file, made at the first start; its directory must be writable, since the count of starts is kept there.',
  },
  stalenessMs: {
    env: 'MESH_STALENESS_MS',
    flag: '--staleness-ms',
    fallback: '30000',
    ...check.count(initRules.stalenessMs),
    about: 'Silence after which a member is expired.',
  },
  sweepMs: {
    env: 'MESH_SWEEP_MS',
    flag: '--sweep-ms',
    fallback: '5000',
    ...check.count(initRules.sweepMs),
    about: 'Time between two looks for stale members.',
  },
  digestMs: {
    env: 'MESH_DIGEST_MS',
    flag: '--digest-ms',
    fallback: '2000',
    ...check.count(initRules.digestMs),
    about: 'Time between two digests on each link.',
  },
  gossipDigestMs: {
    env: 'MESH_GOSSIP_DIGEST_MS',
    flag: '--gossip-digest-ms',
    fallback: '10000',
    ...check.count(initRules.gossipDigestMs),
    about: 'Time between two digests over gossip, for those not linked; six times that while common neighbours vouch.',
  },
  neighbours: {
    env: 'MESH_NEIGHBOURS',
    flag: '--neighbours',
    fallback: '8',
    ...check.count(initRules.neighbours),
    about: 'Links this node wants; further members are known, not connected.',
  },
  maxPeers: {
    env: 'MESH_MAX_PEERS',
    flag: '--max-peers',
    fallback: String(limits.peers),
    ...check.count(initRules.maxPeers),
    about: 'Most peers connected at once, inbound and outbound.',
  },
  messageBytes: {
    env: 'MESH_MESSAGE_BYTES',
    flag: '--message-bytes',
    fallback: String(limits.messageBytes),
    ...check.count(initRules.messageBytes),
    about: 'Most bytes in one published message.',
  },
  gossipLimits: {
    env: 'MESH_GOSSIP_LIMITS',
    flag: '--gossip-limit',
    fallback: '',
    ...check.agentLimits(initRules.gossipLimits),
    about:
      'Bytes that peers of an agent take in one RPC of gossipsub, where the default is wrong: 4 MiB for js, 64 KiB for rust, 1 MiB for go and all others.',
  },
  topics: {
    env: 'MESH_TOPICS',
    flag: '--topic',
    fallback: '',
    ...check.topics(limits.digestTopics),
    about: 'Topics to listen to from the start.',
  },
  dnsServers: {
    env: 'MESH_DNS_SERVERS',
    flag: '--dns-server',
    fallback: '',
    ...check.nameServers(8),
    about: 'Name servers for seeds; none means the resolver of the system.',
  },
  admin: {
    env: 'MESH_ADMIN',
    flag: '--admin',
    fallback: '127.0.0.1:0',
    ...check.hostPortOrOff(),
    about: 'Where the HTTP API listens; the address is in the log. Beyond loopback it needs a token.',
  },
  adminToken: {
    env: 'MESH_ADMIN_TOKEN',
    ...check.secret(),
    about: 'Bearer token of the HTTP API and of profiles; `/healthz` and `/readyz` are open without it.',
  },
  pprof: {
    env: 'MESH_PPROF',
    flag: '--pprof',
    fallback: 'off',
    ...check.hostPortOrOff(),
    about: 'Where profiles for `go tool pprof` are to be had. Beyond loopback it needs the token of the HTTP API.',
  },
  query: {
    env: 'MESH_QUERY',
    flag: '--query',
    fallback: 'off',
    ...endpointOrOff(),
    about:
      'Where the page of an observer searches traces: what answers `/api/v3`, as Jaeger or `tracemesh store` does.',
  },
  jaegerUi: {
    env: 'MESH_JAEGER_UI',
    flag: '--jaeger-ui',
    fallback: 'off',
    ...endpointOrOff(),
    about: 'Jaeger’s own page, as a browser reaches it: the page of an observer links each trace there.',
  },
  logLevel: {
    env: 'MESH_LOG_LEVEL',
    flag: '--log-level',
    fallback: 'info',
    ...oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    about: 'Least severe line to log.',
  },
  otlp: {
    env: 'MESH_OTLP',
    flag: '--otlp',
    fallbackText: '`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT`, or `http://127.0.0.1:4317`',
    ...initRules.otlp,
    about: 'Where spans go: an OTLP receiver that speaks gRPC.',
  },
  traceRoutine: {
    env: 'MESH_TRACE_ROUTINE',
    flag: '--trace-routine',
    fallbackText: '`OTEL_TRACES_SAMPLER_ARG` where `OTEL_TRACES_SAMPLER` is a ratio, or `1`',
    ...check.decimal(initRules.traceRoutine),
    about:
      'Share of the minutes whose routine spans (sweeps, windows, registries) leave; every other span always does.',
  },
  stopMs: {
    env: 'MESH_STOP_MS',
    flag: '--stop-ms',
    fallback: '2000',
    ...check.count(whole(100, 2_000, 'milliseconds')),
    about: 'Time for an ordered stop, goodbyes included; up to two seconds more for spans that wait.',
  },
  faults: {
    env: 'MESH_FAULTS',
    flag: '--fault',
    fallback: '',
    ...check.several(initRules.faults),
    about: 'What the node does wrong on purpose, so that an alert can be drilled (`tracemesh drill`).',
  },
} as const satisfies Record<string, Setting>

export type ConfigKey = keyof typeof configTable
export type ConfigValue<K extends ConfigKey> = z.output<(typeof configTable)[K]['schema']>

export const configEntries = Object.entries(configTable) as readonly (readonly [ConfigKey, Setting])[]
