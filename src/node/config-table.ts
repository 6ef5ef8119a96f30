import type * as z from 'zod'
import { admissionModes } from '../core/credentials/admission-rules.ts'
import { type LimitName, limitSetting, limits, limitTable } from '../core/limits.ts'
import { initRules } from '../kit/init.ts'
import { dhtProtocolOrOff, endpointOrOff, oneOf, whole } from '../kit/rules.ts'
import * as check from './config-schemas.ts'

/** One setting: its variable and flag, its default, and its description. */
export interface Setting extends check.Check<unknown> {
  readonly env: string
  /** Absent for secrets, which must not appear in a process list. */
  readonly flag?: string
  /** Names in the version before: accepted with a warning, refused by the next version. */
  readonly formerly?: { readonly env: string; readonly flag: string }
  /** As written in the environment; absent when there is no default. */
  readonly defaultValue?: string
  /** Describes a default that the node computes at start. */
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
    description: 'Mesh of this node: it refuses nodes of other meshes. Also the service name in traces.',
  },
  bridgeTo: {
    env: 'MESH_BRIDGE_TO',
    flag: '--bridge-to',
    ...initRules.bridgeTo,
    description: 'Second mesh of a bridge. Required for the role bridge, refused for any other.',
  },
  name: {
    env: 'MESH_NAME',
    flag: '--name',
    defaultText: 'role and the last four characters of the peer id',
    ...initRules.name,
    description: 'Name of this node in spans, logs and on the admin page.',
  },
  role: {
    env: 'MESH_ROLE',
    flag: '--role',
    defaultValue: 'compute',
    ...initRules.role,
    description: 'Role of this node.',
  },
  seeds: {
    env: 'MESH_SEEDS',
    flag: '--seed',
    defaultValue: '',
    ...check.addresses('dial', limits.seeds),
    description: 'Addresses of seeds, through which the node joins. Names are resolved before every attempt.',
  },
  listen: {
    env: 'MESH_LISTEN',
    flag: '--listen',
    defaultValue: '/ip4/0.0.0.0/udp/0/quic-v1,/ip4/0.0.0.0/tcp/0,/ip6/::/udp/0/quic-v1,/ip6/::/tcp/0',
    ...check.addresses('listen', limits.digestAddresses),
    description: 'Addresses to listen on.',
  },
  announce: {
    env: 'MESH_ANNOUNCE',
    flag: '--announce',
    defaultValue: '',
    ...check.addresses('dial', limits.digestAddresses),
    description: 'Addresses to announce instead of the listen addresses: for containers and behind NAT.',
  },
  identity: {
    env: 'MESH_IDENTITY',
    flag: '--identity',
    defaultText: 'a new identity at every start',
    ...check.filePath(),
    description:
      'Key file, created at the first start. Its directory must be writable, since the incarnation is stored there.',
  },
  admissionMode: {
    env: 'MESH_ADMISSION',
    flag: '--admission',
    defaultValue: 'open',
    ...oneOf(admissionModes),
    description:
      'Who may join: `open` everybody; `enforce` only peers with a credential; `permissive` also peers without one, but none with a wrong one, which is the way from the one to the other.',
  },
  secretFile: {
    env: 'MESH_SECRET_FILE',
    flag: '--secret-file',
    ...check.filePath(),
    description:
      'File of mode 600 with the secret of a closed mesh (`tracemesh secret`). Of several secrets in it all count, and the first one signs.',
  },
  secret: {
    env: 'MESH_SECRET',
    ...check.meshSecret(),
    description: 'The same secret as a variable, for where there are no files.',
  },
  ca: {
    env: 'MESH_CA',
    flag: '--ca',
    ...check.filePath(),
    description: 'File with the public keys of the authorities whose credentials count (`tracemesh cert ca`).',
  },
  cert: {
    env: 'MESH_CERT',
    flag: '--cert',
    ...check.filePath(),
    description: 'File with the credential of this node, one per mesh (`tracemesh cert sign`). It needs an identity.',
  },
  revocations: {
    env: 'MESH_REVOCATIONS',
    flag: '--revocations',
    ...check.filePath(),
    description: 'File with the list of revoked credentials (`tracemesh cert revoke`); it may appear later.',
  },
  guests: {
    env: 'MESH_GUESTS',
    flag: '--guest',
    defaultValue: 'none',
    ...check.guests(64),
    description: 'Peers of other software in a closed mesh. In an open one all may be guests.',
  },
  stalenessMs: {
    env: 'MESH_STALENESS_MS',
    flag: '--staleness-ms',
    defaultValue: '30000',
    ...check.count(initRules.stalenessMs),
    description: 'Silence after which a member expires.',
  },
  sweepMs: {
    env: 'MESH_SWEEP_MS',
    flag: '--sweep-ms',
    defaultValue: '5000',
    ...check.count(initRules.sweepMs),
    description: 'Time between two sweeps for stale members.',
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
      'Time between two digests over gossip, for members without a link; six times that while common neighbours vouch.',
  },
  neighbours: {
    env: 'MESH_NEIGHBOURS',
    flag: '--neighbours',
    defaultValue: '8',
    ...check.count(initRules.neighbours),
    description: 'Target number of links; the node knows further members without a connection.',
  },
  connectionsHigh: {
    env: 'MESH_CONNECTIONS_HIGH',
    flag: '--connections-high',
    formerly: { env: 'MESH_MAX_PEERS', flag: '--max-peers' },
    defaultValue: String(limits.peers),
    ...check.count(initRules.connectionsHigh),
    description:
      'Maximum of connected peers, inbound and outbound. All connections and dials together may be 100 more, half of them before the end of their handshakes in each direction.',
  },
  connectionsLow: {
    env: 'MESH_CONNECTIONS_LOW',
    flag: '--connections-low',
    defaultText: 'four fifths of `MESH_CONNECTIONS_HIGH`',
    ...check.count(initRules.connectionsLow),
    description:
      'Connected peers above which the node closes guests, idle ones first. It closes no member and no seed, so members may be as many as `MESH_CONNECTIONS_HIGH`.',
  },
  connectionsPerAddress: {
    env: 'MESH_CONNECTIONS_PER_ADDRESS',
    flag: '--connections-per-address',
    defaultValue: String(limits.connectionsPerAddress),
    ...check.count(initRules.connectionsPerAddress),
    description:
      'Maximum of connections of one IPv4 address or one IPv6 /56, inbound and outbound; loopback is not limited. Raise it where more nodes share one NAT address.',
  },
  inboundRate: {
    env: 'MESH_INBOUND_RATE',
    flag: '--inbound-rate',
    defaultValue: String(limits.inboundRate),
    ...check.count(initRules.inboundRate),
    description: 'Maximum of inbound connections per second of one address; loopback is not limited.',
  },
  streamsPerPeer: {
    env: 'MESH_STREAMS_PER_PEER',
    flag: '--streams-per-peer',
    defaultValue: String(limits.streamsPerPeer),
    ...check.count(initRules.streamsPerPeer),
    description: 'Maximum of streams of one peer over all its connections, both directions.',
  },
  streamsPerProtocol: {
    env: 'MESH_STREAMS_PER_PROTOCOL',
    flag: '--streams-per-protocol',
    defaultValue: String(limits.streamsPerProtocol),
    ...check.count(initRules.streamsPerProtocol),
    description:
      'Maximum of streams of one protocol on one connection, per direction: requests to one peer at a time, for example.',
  },
  bufferedBytes: {
    env: 'MESH_BUFFERED_BYTES',
    flag: '--buffered-bytes',
    defaultText: '64 MiB, or a sixteenth of the memory if that is less',
    ...check.count(initRules.bufferedBytes),
    description:
      'Maximum of bytes in the buffers of all streams. At the limit the fullest streams of the peer that holds most are reset.',
  },
  heapPercent: {
    env: 'MESH_HEAP_PERCENT',
    flag: '--heap-percent',
    defaultValue: String(limits.heapPercent),
    ...check.count(initRules.heapPercent),
    description: 'Percent of V8’s heap limit in use above which the node accepts no connection.',
  },
  messageBytes: {
    env: 'MESH_MESSAGE_BYTES',
    flag: '--message-bytes',
    defaultValue: String(limits.messageBytes),
    ...check.count(initRules.messageBytes),
    description: 'Maximum bytes of one published message.',
  },
  gossipLimits: {
    env: 'MESH_GOSSIP_LIMITS',
    flag: '--gossip-limit',
    defaultValue: '',
    ...check.agentLimits(initRules.gossipLimits),
    description:
      'Maximum bytes of one gossipsub RPC that peers of an agent accept, in place of the defaults: 4 MiB for js, 64 KiB for rust, 1 MiB for go and all others.',
  },
  dhtProtocol: {
    env: 'MESH_DHT_PROTOCOL',
    flag: '--dht-protocol',
    defaultText: '`/tracemesh/kad/1.0.0` for a seed, else `off`',
    ...dhtProtocolOrOff(),
    description:
      'DHT in which peers of any libp2p find each other: a seed serves it. `/ipfs/kad/1.0.0` is that of the public network.',
  },
  topics: {
    env: 'MESH_TOPICS',
    flag: '--topic',
    defaultValue: '',
    ...check.topics(limits.digestTopics),
    description: 'Topics to subscribe to at start.',
  },
  dnsServers: {
    env: 'MESH_DNS_SERVERS',
    flag: '--dns-server',
    defaultValue: '',
    ...check.nameServers(8),
    description: 'Name servers for seeds; without one, the resolver of the system.',
  },
  admin: {
    env: 'MESH_ADMIN',
    flag: '--admin',
    defaultValue: '127.0.0.1:0',
    ...check.hostPortOrOff(),
    description: 'Listen address of the HTTP API; the log has the port in use. Beyond loopback it needs a token.',
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
    description: 'Listen address for profiles for `go tool pprof`. Beyond loopback it needs the token of the HTTP API.',
  },
  query: {
    env: 'MESH_QUERY',
    flag: '--query',
    defaultValue: 'off',
    ...endpointOrOff(),
    description:
      'Trace store that the page of an observer searches: a server of `/api/v3` such as Jaeger or `tracemesh store`.',
  },
  jaegerUi: {
    env: 'MESH_JAEGER_UI',
    flag: '--jaeger-ui',
    defaultValue: 'off',
    ...endpointOrOff(),
    description: 'URL of the Jaeger UI for browsers: the page of an observer links each trace there.',
  },
  logLevel: {
    env: 'MESH_LOG_LEVEL',
    flag: '--log-level',
    defaultValue: 'info',
    ...oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    description: 'Minimum severity of log lines.',
  },
  otlp: {
    env: 'MESH_OTLP',
    flag: '--otlp',
    defaultText: '`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT`, or `http://127.0.0.1:4317`',
    ...initRules.otlp,
    description: 'OTLP receiver of the spans, over gRPC.',
  },
  traceRoutine: {
    env: 'MESH_TRACE_ROUTINE',
    flag: '--trace-routine',
    defaultText: '`OTEL_TRACES_SAMPLER_ARG` where `OTEL_TRACES_SAMPLER` is a ratio, or `1`',
    ...check.decimal(initRules.traceRoutine),
    description:
      'Share of the minutes whose routine spans (sweeps, windows, registries) are exported; all others always are.',
  },
  heapSites: {
    env: 'MESH_HEAP_SITES',
    flag: '--heap-sites',
    defaultValue: 'on',
    ...oneOf(['on', 'off']),
    description:
      'Whether to sample the heap for 15 s when a leak is suspected, at most once in ten minutes, and to emit the functions whose allocations are still in use.',
  },
  stopMs: {
    env: 'MESH_STOP_MS',
    flag: '--stop-ms',
    defaultValue: '2000',
    ...check.count(whole(100, 2_000, 'milliseconds')),
    description: 'Time for an ordered stop, goodbyes included; up to two seconds more to flush spans.',
  },
  faults: {
    env: 'MESH_FAULTS',
    flag: '--fault',
    defaultValue: '',
    ...check.several(initRules.faults),
    description: 'Faults that the node injects on purpose, to drill an alert (`tracemesh drill`).',
  },
} as const satisfies Record<string, Setting>

export type ConfigKey = keyof typeof configTable
export type ConfigValue<K extends ConfigKey> = z.output<(typeof configTable)[K]['schema']>

export const configEntries = Object.entries(configTable) as readonly (readonly [ConfigKey, Setting])[]

/** The configuration table as Markdown. */
export function configDocs(): string {
  const rows = configEntries.map(([, setting]) => [
    `\`${setting.env}\``,
    setting.flag === undefined ? '' : `\`${setting.flag}\``,
    defaultOf(setting),
    `${setting.description} Allowed: ${setting.expected}.`,
  ])
  return tableOf(['Variable', 'Flag', 'Default', 'Meaning and allowed values'], rows)
}

/** Replaces the parts of `page` between the config and the limits markers. Throws a RangeError without markers. */
export function withConfigDocs(page: string): string {
  return withTable(withTable(page, 'config', configDocs()), 'limits', limitDocs())
}

/** The document with this table between the comments `name:begin` and `name:end`. */
export function withTable(page: string, name: string, table: string): string {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`]
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from === -1 || to < from) throw new RangeError(`no ${begin} … ${end} in the document`)
  return `${page.slice(0, from + begin.length)}\n\n${table}\n\n${page.slice(to)}`
}

/** The table of limits as Markdown. */
function limitDocs(): string {
  const rows = Object.entries(limitTable).map(([name, { value, reason }]) => {
    const setting = limitSetting(name as LimitName)
    return [`\`${name}\``, value.toLocaleString('en'), setting === undefined ? 'fixed' : `\`${setting}\``, reason]
  })
  return tableOf(['Limit', 'Default', 'Setting', 'What it bounds, and the reason of the default'], rows)
}

/** A table as Markdown. */
export function tableOf(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function defaultOf({ defaultValue, defaultText }: Setting): string {
  if (defaultText !== undefined) return defaultText
  if (defaultValue === undefined || defaultValue === '') return 'none'
  return defaultValue
    .split(',')
    .map((part) => `\`${part}\``)
    .join(' ')
}
