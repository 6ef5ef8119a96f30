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
  readonly defaultValue?: string
  /** Said in place of a default that is worked out at start. */
  readonly defaultText?: string
  readonly description: string
}

/** Every setting of a node, declared once: parsing, `--help` and `docs/configuration.md` come from here. */
export const configTable = {
  mesh: {
    env: 'MESH_ID',
    flag: '--mesh',
    defaultValue: 'mesh-a',
    ...initRules.mesh,
    description: 'Mesh to be in: nodes of another mesh are refused. Also the service name in traces.',
  },
  bridgeTo: {
    env: 'MESH_BRIDGE_TO',
    flag: '--bridge-to',
    ...initRules.bridgeTo,
    description: 'Second mesh of a bridge. Needed by the role bridge, refused for any other.',
  },
  name: {
    env: 'MESH_NAME',
    flag: '--name',
    defaultText: 'role and four random characters',
    ...initRules.name,
    description: 'Name of this node in spans, logs and on the admin page.',
  },
  role: {
    env: 'MESH_ROLE',
    flag: '--role',
    defaultValue: 'compute',
    ...initRules.role,
    description: 'What this node is for.',
  },
  seeds: {
    env: 'MESH_SEEDS',
    flag: '--seed',
    defaultValue: '',
    ...check.addresses('dial', limits.seeds),
    description: 'Where the mesh is found. Names are resolved before every attempt.',
  },
  listen: {
    env: 'MESH_LISTEN',
    flag: '--listen',
    defaultValue: '/ip4/0.0.0.0/udp/0/quic-v1,/ip4/0.0.0.0/tcp/0,/ip6/::/udp/0/quic-v1,/ip6/::/tcp/0',
    ...check.addresses('listen', limits.digestAddresses),
    description: 'Addresses to listen at.',
  },
  announce: {
    env: 'MESH_ANNOUNCE',
    flag: '--announce',
    defaultValue: '',
    ...check.addresses('dial', limits.digestAddresses),
    description: 'Addresses that the node announces in place of those it listens at: for containers and behind NAT.',
  },
  identity: {
    env: 'MESH_IDENTITY',
    flag: '--identity',
    defaultText: 'a new identity at every start',
    ...check.filePath(),
    description:
      'Key file, made at the first start; its directory must be writable, since the count of starts is kept there.',
  },
  stalenessMs: {
    env: 'MESH_STALENESS_MS',
    flag: '--staleness-ms',
    defaultValue: '30000',
    ...check.count(initRules.stalenessMs),
    description: 'Silence after which a member is expired.',
  },
  sweepMs: {
    env: 'MESH_SWEEP_MS',
    flag: '--sweep-ms',
    defaultValue: '5000',
    ...check.count(initRules.sweepMs),
    description: 'Time between two looks for stale members.',
  },
  digestMs: {
    env: 'MESH_DIGEST_MS',
    flag: '--digest-ms',
    defaultValue: '2000',
    ...check.count(initRules.digestMs),
    description: 'Time between two digests on each link.',
  },
  gossipDigestMs: {
    env: 'MESH_GOSSIP_DIGEST_MS',
    flag: '--gossip-digest-ms',
    defaultValue: '10000',
    ...check.count(initRules.gossipDigestMs),
    description:
      'Time between two digests over gossip, for those not linked; six times that while common neighbours vouch.',
  },
  neighbours: {
    env: 'MESH_NEIGHBOURS',
    flag: '--neighbours',
    defaultValue: '8',
    ...check.count(initRules.neighbours),
    description: 'Links this node wants; further members are known, not connected.',
  },
  maxPeers: {
    env: 'MESH_MAX_PEERS',
    flag: '--max-peers',
    defaultValue: String(limits.peers),
    ...check.count(initRules.maxPeers),
    description: 'Most peers connected at once, inbound and outbound.',
  },
  messageBytes: {
    env: 'MESH_MESSAGE_BYTES',
    flag: '--message-bytes',
    defaultValue: String(limits.messageBytes),
    ...check.count(initRules.messageBytes),
    description: 'Most bytes in one published message.',
  },
  gossipLimits: {
    env: 'MESH_GOSSIP_LIMITS',
    flag: '--gossip-limit',
    defaultValue: '',
    ...check.agentLimits(initRules.gossipLimits),
    description:
      'Bytes that peers of an agent take in one RPC of gossipsub, where the default is wrong: 4 MiB for js, 64 KiB for rust, 1 MiB for go and all others.',
  },
  topics: {
    env: 'MESH_TOPICS',
    flag: '--topic',
    defaultValue: '',
    ...check.topics(limits.digestTopics),
    description: 'Topics to listen to from the start.',
  },
  dnsServers: {
    env: 'MESH_DNS_SERVERS',
    flag: '--dns-server',
    defaultValue: '',
    ...check.nameServers(8),
    description: 'Name servers for seeds; none means the resolver of the system.',
  },
  admin: {
    env: 'MESH_ADMIN',
    flag: '--admin',
    defaultValue: '127.0.0.1:0',
    ...check.hostPortOrOff(),
    description: 'Where the HTTP API listens; the address is in the log. Beyond loopback it needs a token.',
  },
  adminToken: {
    env: 'MESH_ADMIN_TOKEN',
    ...check.secret(),
    description: 'Bearer token of the HTTP API and of profiles; `/healthz` and `/readyz` are open without it.',
  },
  pprof: {
    env: 'MESH_PPROF',
    flag: '--pprof',
    defaultValue: 'off',
    ...check.hostPortOrOff(),
    description:
      'Where profiles for `go tool pprof` are to be had. Beyond loopback it needs the token of the HTTP API.',
  },
  query: {
    env: 'MESH_QUERY',
    flag: '--query',
    defaultValue: 'off',
    ...endpointOrOff(),
    description:
      'Where the page of an observer searches traces: what answers `/api/v3`, as Jaeger or `tracemesh store` does.',
  },
  jaegerUi: {
    env: 'MESH_JAEGER_UI',
    flag: '--jaeger-ui',
    defaultValue: 'off',
    ...endpointOrOff(),
    description: 'Jaeger’s own page, as a browser reaches it: the page of an observer links each trace there.',
  },
  logLevel: {
    env: 'MESH_LOG_LEVEL',
    flag: '--log-level',
    defaultValue: 'info',
    ...oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    description: 'Least severe line to log.',
  },
  otlp: {
    env: 'MESH_OTLP',
    flag: '--otlp',
    defaultText: '`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT`, or `http://127.0.0.1:4317`',
    ...initRules.otlp,
    description: 'Where spans go: an OTLP receiver that speaks gRPC.',
  },
  traceRoutine: {
    env: 'MESH_TRACE_ROUTINE',
    flag: '--trace-routine',
    defaultText: '`OTEL_TRACES_SAMPLER_ARG` where `OTEL_TRACES_SAMPLER` is a ratio, or `1`',
    ...check.decimal(initRules.traceRoutine),
    description:
      'Share of the minutes whose routine spans (sweeps, windows, registries) leave; every other span always does.',
  },
  stopMs: {
    env: 'MESH_STOP_MS',
    flag: '--stop-ms',
    defaultValue: '2000',
    ...check.count(whole(100, 2_000, 'milliseconds')),
    description: 'Time for an ordered stop, goodbyes included; up to two seconds more for spans that wait.',
  },
  faults: {
    env: 'MESH_FAULTS',
    flag: '--fault',
    defaultValue: '',
    ...check.several(initRules.faults),
    description: 'What the node does wrong on purpose, so that an alert can be drilled (`tracemesh drill`).',
  },
} as const satisfies Record<string, Setting>

export type ConfigKey = keyof typeof configTable
export type ConfigValue<K extends ConfigKey> = z.output<(typeof configTable)[K]['schema']>

export const configEntries = Object.entries(configTable) as readonly (readonly [ConfigKey, Setting])[]
