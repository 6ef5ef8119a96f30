import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { roles } from '../catalogue/roles.ts'
import { isMeshError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { faultNames } from '../kit/faults.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { type Environment, type Flags, type NodeConfig, parseConfig, readConfig, settingName } from './config.ts'
import { type ConfigKey, configDocs, configEntries, configTable, type Setting, withConfigDocs } from './config-table.ts'
import { capsBytes, capsByUse, peerTopicBytes } from './memory.ts'

leakCheck()

const numbers = [
  '',
  '0',
  '00',
  '-1',
  '+5',
  '1.5',
  '1e3',
  '0x10',
  'NaN',
  'Infinity',
  'unlimited',
  '9'.repeat(20),
  '5 ms',
]
const names = ['-a', '.a', 'a b', 'a/b', 'é', 'a'.repeat(65)]

/** Values that each setting must refuse, beside the invalid numbers. */
const invalidValues: Record<ConfigKey, readonly string[]> = {
  mesh: names,
  bridgeTo: names,
  name: names,
  role: ['queen', 'SEED', 'seed '.repeat(2)],
  seeds: ['nonsense', '/ip4/1.2.3.4/tcp/0', '/ip4/1.2.3.4/tcp/1,nonsense', Array(33).fill('/ip4/1.2.3.4/tcp/1').join()],
  listen: ['0.0.0.0:80', '/dns4/seed/tcp/1', Array(17).fill('/ip4/127.0.0.1/tcp/0').join()],
  announce: ['1.2.3.4', '/ip4/1.2.3.4/udp/0/quic-v1'],
  identity: ['/var/keys/', 'a\0b'],
  admissionMode: ['closed', 'OPEN'],
  secretFile: ['/var/keys/', 'a\0b'],
  secret: ['short', 'correct horse battery staple', 'x'.repeat(44)],
  ca: ['/var/keys/'],
  cert: ['/var/keys/'],
  revocations: ['/var/keys/'],
  guests: ['some', 'none,any', 'any,12D3KooWJF5drGoTkbtSE8oSQtJPyn2joAU2ESQujB2KouVbrYc5', '12D3KooW'],
  stalenessMs: ['999', '3600001'],
  sweepMs: ['99', '600001'],
  digestMs: ['99', '600001'],
  gossipDigestMs: ['499', '600001'],
  neighbours: ['65'],
  connectionsHigh: ['1', '10001'],
  connectionsLow: ['10001', '301'],
  connectionsPerAddress: ['10101'],
  inboundRate: ['10001'],
  streamsPerPeer: ['15', '100001'],
  streamsPerProtocol: ['1', '10001'],
  bufferedBytes: ['4194303', '68719476737'],
  heapPercent: ['49', '96'],
  messageBytes: ['63', '60001'],
  gossipLimits: ['rust', 'rust=1023', '=4096', 'a=4096,b', 'rust=-1'],
  dhtProtocol: [
    '/tracemesh',
    '/tracemesh/kad/2.0.0',
    'tracemesh/kad/1.0.0',
    '/kad/1.0.0',
    `/${'a'.repeat(64)}/kad/1.0.0`,
  ],
  topics: ['a b', 'a'.repeat(129), Array(65).fill('a').join()],
  dnsServers: ['dns.example.org', '1.1.1.1:0', '1.1.1.1:65536', '1.1.1'],
  admin: ['127.0.0.1', '8080', ':8080', '127.0.0.1:65536', 'http://127.0.0.1:80', 'no'],
  adminToken: ['short', 'with a space in it, long'],
  pprof: ['6060', '127.0.0.1', ':6060', 'on'],
  query: ['127.0.0.1:16686', 'no'],
  jaegerUi: ['jaeger', 'javascript:alert(1)'],
  logLevel: ['loud', 'INFO'],
  heapSites: ['yes', 'true', 'ON'],
  otlp: ['127.0.0.1:4317', 'ftp://host', 'http://', 'no'],
  traceRoutine: ['-0.1', '1.01', '10%', '.5', '1e-1', 'NaN'],
  stopMs: ['99', '2001'],
  faults: [
    'hold',
    'HOLD-SWEEP',
    'hold-sweep,explode',
    Array(faultNames.length + 1)
      .fill('hold-sweep')
      .join(),
  ],
}

test('no configuration: every setting has its default', () => {
  const { name, ...rest } = parseConfig({})
  assert.match(name, /^compute-[0-9a-f]{4}$/)
  assert.deepEqual(rest, {
    mesh: 'mesh-a',
    bridgeTo: undefined,
    role: 'compute',
    seeds: [],
    listen: ['/ip4/0.0.0.0/udp/0/quic-v1', '/ip4/0.0.0.0/tcp/0', '/ip6/::/udp/0/quic-v1', '/ip6/::/tcp/0'],
    announce: [],
    identity: undefined,
    admissionMode: 'open',
    secretFile: undefined,
    secret: undefined,
    ca: undefined,
    cert: undefined,
    revocations: undefined,
    guests: 'none',
    stalenessMs: 30_000,
    sweepMs: 5_000,
    digestMs: 2_000,
    gossipDigestMs: 10_000,
    neighbours: 8,
    connectionsHigh: 300,
    connectionsLow: 240,
    connectionsPerAddress: 64,
    inboundRate: 100,
    streamsPerPeer: 256,
    streamsPerProtocol: 32,
    bufferedBytes: 67_108_864,
    heapPercent: 85,
    messageBytes: 60_000,
    gossipLimits: [],
    dhtProtocol: 'off',
    topics: [],
    dnsServers: [],
    admin: '127.0.0.1:0',
    adminToken: undefined,
    pprof: 'off',
    query: 'off',
    jaegerUi: 'off',
    logLevel: 'info',
    heapSites: 'on',
    otlp: 'http://127.0.0.1:4317',
    traceRoutine: undefined,
    stopMs: 2_000,
    faults: [],
  } satisfies Omit<NodeConfig, 'name'>)
})

test('a flag and its variable: the flag wins', () => {
  const { role, stalenessMs } = parseConfig({ MESH_ROLE: 'seed', MESH_STALENESS_MS: '9000' }, { '--role': 'gateway' })
  assert.deepEqual([role, stalenessMs], ['gateway', 9_000])
})

test('a list setting: comma-separated variable, or repeated flag', () => {
  const [a, b] = ['/ip4/10.0.0.1/tcp/1', '/dns4/seed/udp/2/quic-v1']
  assert.deepEqual(parseConfig({ MESH_SEEDS: `${a}, ${b}` }).seeds, [a, b])
  assert.deepEqual(parseConfig({}, { '--seed': [a, b] }).seeds, [a, b])
  assert.deepEqual(parseConfig({ MESH_SEEDS: a }, { '--seed': b }).seeds, [b])
})

test('an empty variable counts as unset', () => {
  const config = parseConfig(Object.fromEntries(configEntries.map(([, setting]) => [setting.env, ' '])))
  assert.deepEqual({ ...config, name: '' }, { ...parseConfig({}), name: '' })
})

test('an invalid value, by variable or by flag: an error that names the setting', () => {
  for (const [key, setting] of configEntries) {
    const invalid = setting.expected.startsWith('a whole number')
      ? [...invalidValues[key], ...numbers]
      : invalidValues[key]
    assert.ok(invalid.length > 0, `no invalid value is tested for ${key}`)
    for (const value of invalid) {
      if (value !== '') assertRefused(key, { [setting.env]: value }, {})
      if (setting.flag !== undefined) assertRefused(key, {}, { [setting.flag]: value })
    }
  }
})

test('number settings: minimum above zero, and a maximum', () => {
  const numeric = configEntries.filter(([, setting]) => setting.expected.startsWith('a whole number'))
  assert.equal(numeric.length, 15)
  const machine = 1024 ** 4
  for (const [key, { env, expected }] of numeric) {
    const [min = '', max = ''] = expected.match(/\d+/g) ?? []
    const validPair = { MESH_CONNECTIONS_HIGH: '10000', MESH_NEIGHBOURS: '1' }
    assert.equal(readConfig({ ...validPair, [env]: max }, {}, machine).config?.[key], Number(max))
    assert.equal(readConfig({ ...validPair, [env]: min }, {}, machine).config?.[key], Number(min))
    assert.ok(Number(min) > 0)
  }
})

test('several problems: all are reported at once', () => {
  const { problems } = readConfig({ MESH_ROLE: 'queen', MESH_SWEEP_MS: '0', MESH_SEED: 'x' }, { '--lisen': 'y' })
  assert.deepEqual(
    problems.map((problem) => problem.message),
    [
      'unknown setting MESH_SEED; did you mean MESH_SEEDS?',
      'unknown setting --lisen; did you mean --listen?',
      `MESH_ROLE (--role) is "queen"; expected one of ${roles.join(', ')}`,
      'MESH_SWEEP_MS (--sweep-ms) is "0"; expected a whole number of milliseconds from 100 to 600000',
    ],
  )
})

test('variables of other programs and of Kubernetes Services are ignored', () => {
  const serviceLinks = {
    MESH_SEEDS_SERVICE_HOST: '10.0.0.1',
    MESH_SEEDS_SERVICE_PORT_QUIC: '1',
    MESH_SEEDS_PORT: 'tcp://10.0.0.1:1',
  }
  const ports = { MESH_SEEDS_PORT_9000_TCP: 'tcp://10.0.0.1:9000', MESH_SEEDS_PORT_9000_TCP_ADDR: '10.0.0.1' }
  assert.deepEqual(readConfig({ PATH: '/bin', MESHED: 'x', ...serviceLinks, ...ports }).problems, [])
})

test('a second mesh: required for a bridge, refused for other roles', () => {
  assert.equal(parseConfig({ MESH_ROLE: 'bridge', MESH_BRIDGE_TO: 'mesh-b' }).bridgeTo, 'mesh-b')
  assertRefused('bridgeTo', { MESH_ROLE: 'bridge' })
  assertRefused('bridgeTo', { MESH_ROLE: 'gateway', MESH_BRIDGE_TO: 'mesh-b' })
  assertRefused('bridgeTo', { MESH_ROLE: 'bridge', MESH_BRIDGE_TO: 'mesh-a' })
})

test('a DHT: a seed serves that of the mesh, or another one; other roles serve none', () => {
  const publicDht = '/ipfs/kad/1.0.0'
  assert.equal(parseConfig({ MESH_ROLE: 'seed' }).dhtProtocol, '/tracemesh/kad/1.0.0')
  assert.equal(parseConfig({ MESH_ROLE: 'seed', MESH_DHT_PROTOCOL: publicDht }).dhtProtocol, publicDht)
  assert.equal(parseConfig({ MESH_ROLE: 'seed', MESH_DHT_PROTOCOL: 'off' }).dhtProtocol, 'off')
  assert.equal(parseConfig({ MESH_DHT_PROTOCOL: 'off' }).dhtProtocol, 'off')
  assertRefused('dhtProtocol', { MESH_ROLE: 'observer', MESH_DHT_PROTOCOL: publicDht })
})

test('an admin API beyond loopback needs a token', () => {
  const token = 'a-token-of-24-characters'
  assertRefused('admin', { MESH_ADMIN: '0.0.0.0:8080' })
  assertRefused('admin', { MESH_ADMIN: '[::]:8080' })
  assert.equal(parseConfig({ MESH_ADMIN: '0.0.0.0:8080', MESH_ADMIN_TOKEN: token }).adminToken, token)
  assert.equal(parseConfig({ MESH_ADMIN: '[::1]:8080' }).admin, '[::1]:8080')
  assert.equal(parseConfig({ MESH_ADMIN: 'off' }).admin, 'off')
})

test('a profile server beyond loopback needs a token', () => {
  assertRefused('pprof', { MESH_PPROF: '0.0.0.0:6060' })
  assert.equal(parseConfig({ MESH_PPROF: '127.0.0.1:6060' }).pprof, '127.0.0.1:6060')
  const withToken = parseConfig({ MESH_PPROF: '0.0.0.0:6060', MESH_ADMIN_TOKEN: 'a-token-of-24-characters' })
  assert.equal(withToken.pprof, '0.0.0.0:6060')
})

test('a token: no error repeats it, and it has no flag that a process list would show', () => {
  const { problems } = readConfig({ MESH_ADMIN_TOKEN: 'hunter2' })
  assert.equal(problems[0]?.message.includes('hunter2'), false)
  assert.equal((configTable.adminToken as Setting).flag, undefined)
})

test('more neighbours than maximum peers: refused', () => {
  assertRefused('neighbours', { MESH_NEIGHBOURS: '9', MESH_CONNECTIONS_HIGH: '8' })
})

test('more peers before guests are closed than maximum peers: refused; the default follows the maximum', () => {
  assertRefused('connectionsLow', { MESH_CONNECTIONS_LOW: '9', MESH_CONNECTIONS_HIGH: '8' })
  assert.equal(parseConfig({ MESH_CONNECTIONS_HIGH: '8' }).connectionsLow, 7)
})

test('the former name of a setting, variable or flag: accepted with a warning that names the new one; the new one wins', () => {
  const former = readConfig({ MESH_MAX_PEERS: '50' })
  assert.equal(former.config?.connectionsHigh, 50)
  const text = 'is now MESH_CONNECTIONS_HIGH (--connections-high); the next version refuses the former name'
  assert.deepEqual(former.warnings, [`MESH_MAX_PEERS ${text}`])
  const flag = readConfig({}, { '--max-peers': '60' })
  assert.deepEqual([flag.config?.connectionsHigh, flag.warnings], [60, [`--max-peers ${text}`]])
  assert.equal(readConfig({ MESH_MAX_PEERS: '50', MESH_CONNECTIONS_HIGH: '70' }).config?.connectionsHigh, 70)
  assert.deepEqual(readConfig({ MESH_CONNECTIONS_HIGH: '70' }).warnings, [])
})

test('memory from 160 MiB to 8 GiB: the defaults start, and the sum has the topics of every peer', () => {
  for (const mib of [160, 256, 512, 1_024, 8_192]) {
    const memory = mib * 1_048_576
    const { config, problems } = readConfig({}, {}, memory)
    assert.deepEqual(problems, [])
    assert.ok(config)
    const { gossipTopics = 0 } = capsByUse(config, memory)
    const perPeer = peerTopicBytes(config.connectionsHigh, memory)
    assert.ok(gossipTopics >= config.connectionsHigh * perPeer && gossipTopics <= memory / 8)
    assert.ok(capsBytes(config, memory) >= gossipTopics && capsBytes(config, memory) <= memory)
  }
  assert.equal(peerTopicBytes(300, 8 * 1024 ** 3), limits.peerTopicBytes)
})

test('limits that allow more bytes than the memory has: refused, with both numbers', () => {
  const [small, mib] = [160 * 1_048_576, 1_048_576]
  const { config } = readConfig({}, {}, small)
  assert.ok(config !== undefined && capsBytes(config, small) <= small, 'the defaults fit a container of 160 MiB')
  for (const [env, key] of [
    [{ MESH_CONNECTIONS_HIGH: '3000' }, 'MESH_CONNECTIONS_HIGH (--connections-high)'],
    [{ MESH_BUFFERED_BYTES: String(200 * mib) }, 'MESH_BUFFERED_BYTES (--buffered-bytes)'],
  ] as const) {
    const [problem] = readConfig(env, {}, small).problems
    assert.match(
      problem?.message ?? '',
      /less: all limits together allow \d+ MiB, and the machine or container has 160 MiB/,
    )
    assert.ok(problem?.message.startsWith(key), problem?.message)
    assert.deepEqual(readConfig(env, {}, 1024 ** 4).problems, [])
  }
})

test('OpenTelemetry’s variables: win over the default, MESH_OTLP over them; an invalid header is refused', () => {
  const general = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4317' }
  const traces = { ...general, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:4317' }
  assert.equal(parseConfig(general).otlp, 'http://collector:4317')
  assert.equal(parseConfig(traces).otlp, 'http://traces:4317')
  assert.equal(parseConfig({ ...traces, MESH_OTLP: 'off' }).otlp, 'off')
  const header = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic aHVudGVy\nMg==' }
  const [problem, ...others] = readConfig(header).problems
  assert.match(problem?.message ?? '', /^OTEL_EXPORTER_OTLP_HEADERS is the header "authorization"(?!.*aHVudGVy)/)
  assert.deepEqual(others, [])
})

function assertRefused(key: ConfigKey, env: Environment, flags: Flags = {}): void {
  const { problems } = readConfig(env, flags)
  const namesSetting = problems.some(
    (problem) => isMeshError(problem, 'MESH_CONFIG_INVALID') && problem.detail.key === settingName(key),
  )
  assert.ok(namesSetting, `${key} accepted ${JSON.stringify({ ...env, ...flags })}`)
  assert.throws(() => parseConfig(env, flags), problems[0])
}

test('settings of the observer page: refused for other roles', () => {
  const query = 'http://127.0.0.1:16686'
  assert.equal(parseConfig({ MESH_ROLE: 'observer', MESH_QUERY: query }).query, query)
  for (const key of ['MESH_QUERY', 'MESH_JAEGER_UI']) {
    assert.throws(() => parseConfig({ [key]: query }), {
      code: 'MESH_CONFIG_INVALID',
      message: new RegExp(`^${key} .*observer`),
    })
  }
})

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')

test('every setting is one row of four cells', () => {
  const rows = configDocs().split('\n')
  assert.equal(rows.length, configEntries.length + 2)
  for (const row of rows) assert.equal(row.split('|').length, 6, row)
})

test('an edit between the markers is detected and reverted', () => {
  const drifted = page.replace('`MESH_ID`', '`MESH_IT`')
  assert.notEqual(drifted, page)
  assert.equal(withConfigDocs(drifted), page)
})

test('a document without markers: RangeError', () => {
  assert.throws(() => withConfigDocs('# nothing here'), RangeError)
})

test('a closed mesh: needs a secret, or an authority with a credential and an identity', () => {
  const secret = 'A'.repeat(43)
  const problemOf = (env: Record<string, string>) => readConfig(env).problems[0]?.message ?? 'none'
  assert.match(problemOf({ MESH_ADMISSION: 'enforce' }), /MESH_SECRET_FILE.*MESH_CA/)
  assert.equal(problemOf({ MESH_ADMISSION: 'enforce', MESH_SECRET: secret }), 'none')
  assert.equal(problemOf({ MESH_ADMISSION: 'permissive', MESH_SECRET_FILE: 's' }), 'none')
  assert.match(problemOf({ MESH_ADMISSION: 'enforce', MESH_SECRET: secret, MESH_SECRET_FILE: 's' }), /MESH_SECRET/)
  assert.match(problemOf({ MESH_ADMISSION: 'enforce', MESH_CA: 'a', MESH_CERT: 'c' }), /MESH_IDENTITY/)
  assert.equal(problemOf({ MESH_ADMISSION: 'enforce', MESH_CA: 'a', MESH_CERT: 'c', MESH_IDENTITY: 'i' }), 'none')
})

test('a secret in an open mesh: refused, since it would protect nothing; and never repeated', () => {
  const secret = 'B'.repeat(43)
  const [problem] = readConfig({ MESH_SECRET: secret }).problems
  assert.match(problem?.message ?? '', /MESH_ADMISSION.*enforce or permissive, since MESH_SECRET/)
  const [short] = readConfig({ MESH_SECRET: secret.slice(1), MESH_ADMISSION: 'enforce' }).problems
  assert.equal(short?.message.includes('BBB'), false)
})

test('guests of a closed mesh: a word, or peer ids', () => {
  const id = '12D3KooWJF5drGoTkbtSE8oSQtJPyn2joAU2ESQujB2KouVbrYc5'
  const guestsOf = (text: string) => readConfig({ MESH_GUESTS: text }).config?.guests
  assert.deepEqual([guestsOf('any'), guestsOf('none'), guestsOf(`${id},${id}`)], ['any', 'none', [id, id]])
})
