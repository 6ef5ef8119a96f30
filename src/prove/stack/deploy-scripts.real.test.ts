import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, globSync } from 'node:fs'
import { appendFile, chmod, cp, mkdir, mkdtempDisposable, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import { watchdog } from '../../catalogue/alerts/rules.ts'
import { configTable } from '../../node/config-table.ts'
import { freeTcpPorts } from '../../processes/free-ports.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { skipWithout } from '../../testing/requirement.ts'
import { temporaryDirectory } from '../../testing/surroundings.ts'
import { plainEnvironment, root, sh } from '../shell.ts'
import { composeCommands } from './containers.ts'

leakCheck()

const deploy = join(root, 'deploy')
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

const libraries = ['say', 'settings', 'check-settings', 'docker', 'stack', 'checks', 'wait', 'where']
const parts = libraries.map((part) => `. "$here/lib/${part}.sh"`)

/** Runs lines of Bash after the parts of deploy/lib, with the settings of `file` and a Docker with four CPUs. */
function lib(lines: string, env: Readonly<Record<string, string>> = {}, file = '/nowhere', here = deploy) {
  const load = ['docker() { echo 4; }', `load_settings ${quoted(file)}`, 'record=/nowhere']
  const script = ['set -euo pipefail', `here=${quoted(here)}`, ...parts, ...load, lines].join('\n')
  return sh(`bash -c ${quoted(script)}`, root, { ...plainEnvironment(), ...env }, AbortSignal.timeout(60_000))
}

test('an invalid setting: exit 2, with the valid values', async () => {
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['PAGE_TOKEN', 'sixteen-or-more-$HOME', /PAGE_TOKEN=\(hidden\) in your shell: is not a token/],
    ['PAGE_TOKEN', 'short', /16 to 256 letters/],
    ['MESH_CONNECTIONS_HIGH', '1', /from 2 to 10000/],
    ['MESH_NEIGHBOURS', '65', /from 1 to 64/],
    ['MESH_STALENESS_MS', '999', /from 1000 to 3600000/],
    ['QUEUE_ITEMS', '99999', /from 100000/],
    ['SPANS_FILES', '0', /from 1 /],
    ['SPANS_FILE_MB', '1.5', /from 1 /],
    ['CALLS_LIMIT', '08000', /from 100 /],
    ['SERIES_EXPIRATION', '1y', /s, m, h, d or w/],
    ['JAEGER_TTL', 'week', /such as 7d/],
    ['PROMETHEUS_KEEPS', '0d', /such as 15d/],
    ['PPROF_PORT', '16680', /port 16680 is assigned twice\n.*16680: PAGE_PORT PPROF_PORT/],
    ...['0', 'x', '70000', '127.0.0.1:6060'].map((port) => ['PPROF_PORT', port, /is not a port/] as const),
    ['BIND_ADDRESS', 'localhost', /is not an IPv4 address/],
    ['BIND_ADDRESS', '203.0.113.9', /is not an address of this machine/],
    ['BIND_ADDRESS', '0.0.0.0', /needs PUBLIC_HOST/],
    ['PUBLIC_HOST', 'host:80', /without a port/],
    ['JAEGER_URL', 'https://example.org/jaeger', /at the root of its host/],
    ['PROMETHEUS_EXTERNAL_URL', 'example.org', /is not a URL/],
    ['JAEGER_UI_ASSETS', '/nowhere', /has no readable index.html/],
    ['NODE_LOGS', '/nowhere', /is not a directory/],
    ['RUNBOOKS_URL', 'ALERTS.md', /is not a URL/],
  ]
  const results = await Promise.all(refused.map(([key, value]) => lib('check_settings', { [key]: value })))
  for (const [index, [key, value, says]] of refused.entries()) {
    const { code, output } = results[index] ?? { code: null, output: '' }
    assert.equal(code, 2, `${key}=${value}: ${output}`)
    assert.match(output, says)
  }
  const few = await lib('check_settings', { MESH_CONNECTIONS_HIGH: '4' })
  assert.match(few.output, /MESH_NEIGHBOURS=8 in deploy\/\.env: is above MESH_CONNECTIONS_HIGH/)
  assert.match((await lib('check_settings', { PPROF_PORT: '6060', PAGE_TOKEN: 'short' })).output, /PAGE_TOKEN/)
  const good = { PAGE_TOKEN: 'letters.digits_~+/=-0123', MESH_NEIGHBOURS: '64', PPROF_PORT: '6060' }
  const elsewhere = { BIND_ADDRESS: '0.0.0.0', PUBLIC_HOST: 'server.example.org', JAEGER_URL: 'https://j.example.org' }
  for (const env of [{}, good, elsewhere]) {
    const { code, output } = await lib('check_settings', env)
    assert.deepEqual([code, output], [0, ''])
  }
})

test('CALLS_LIMIT: follows --nodes, and a smaller one is refused with the number that is needed', async () => {
  const [enough, small] = await Promise.all(
    ['180', '179'].map((limit) => lib('check_series 9', { CALLS_LIMIT: limit })),
  )
  assert.deepEqual([enough?.code, enough?.output], [0, ''])
  assert.equal(small?.code, 2)
  assert.match(small?.output ?? '', /too small for the 9 nodes of a mesh\n.*at least 180/)
})

test('a settings file with CRLF, spaces, quotes, comments and export: understood, the shell takes precedence', async (t) => {
  const file = join(temporaryDirectory(t), 'own.env')
  const lines = [
    '\ufeff# comment',
    '  export PAGE_PORT = "17680"   # why',
    "PUBLIC_HOST='server.example.org'",
    'JAEGER_TTL=7d # a week',
    'SERIES_EXPIRATION=1w',
    'GRAFANA_ROOT_URL=https://example.org/grafana/',
    'OTLP_PORT=24317',
    'JAEGER_UI_ASSETS = "/tmp/with space"',
    'PPROF_PORT=',
  ]
  await writeFile(file, lines.join('\r\n'))
  const keys = ['PAGE_URL', 'JAEGER_URL', 'JAEGER_TTL', 'SERIES_EXPIRATION', 'GRAFANA_ROOT_URL', 'OTLP_PORT']
  const print = [...keys, 'JAEGER_UI_ASSETS', 'PPROF_PORT'].map((key) => `setting ${key}`).join('\n')
  const { output } = await lib(`derive_settings\n${print}`, { OTLP_PORT: '14317' }, file)
  assert.deepEqual(output.split('\n'), [
    'http://server.example.org:17680',
    'http://server.example.org:16686',
    ...['168h', '168h', 'https://example.org/grafana', '14317', '/tmp/with space', '', ''],
  ])
  const { output: source } = await lib('check_settings', {}, file)
  assert.match(source, /JAEGER_UI_ASSETS=\/tmp\/with space in .*own\.env, line 8: has no readable index/)
})

test('a settings file with an error: exit 2, names the line and the key, and the value stays hidden', async (t) => {
  const file = join(temporaryDirectory(t), 'own.env')
  const wrong: readonly (readonly [line: string, says: RegExp])[] = [
    ['SECRET-0123456789', /own\.env, line 2 is invalid\n.*KEY=value/],
    ['PAGE_TOKEN=SECRET-0123$HOME', /line 2: PAGE_TOKEN contains a quote, \$/],
    ['PAGE_TOKEN="SECRET-0123', /line 2: the quotes of PAGE_TOKEN do not match/],
    ['PAGE_TOKEN="SECRET" 0123', /line 2: the quotes of PAGE_TOKEN do not match/],
    ['PAGE_TOKEN=SECRET-"0123', /line 2: PAGE_TOKEN contains a quote/],
    ['JAEGER_PROT=1', /line 2: JAEGER_PROT is an unknown setting\n.*JAEGER_UI_PORT/],
    ['PAGE_PORT=1\nPAGE_PORT=2', /line 3: PAGE_PORT is already set/],
  ]
  for (const [line, says] of wrong) {
    await writeFile(file, `# comment\n${line}\n`)
    const { code, output } = await lib('', {}, file)
    assert.equal(code, 2, `${line}: ${output}`)
    assert.match(output, says)
    assert.doesNotMatch(output, /SECRET/)
  }
})

test('deploy/.env without a project name: exit 2', async (t) => {
  const here = temporaryDirectory(t)
  await cp(deploy, here, { recursive: true })
  const file = join(here, '.env')
  await writeFile(file, (await readFile(file, 'utf8')).replace(/^COMPOSE_PROJECT_NAME=.*$/m, ''))
  assert.match((await lib('check_settings', {}, '/nowhere', here)).output, /COMPOSE_PROJECT_NAME is missing/)
})

test('ports in use: all in one message, with the keys to change and free ports', async () => {
  const servers = await Promise.all(['PAGE_PORT', 'PROMETHEUS_PORT', 'GRAFANA_PORT'].map(listenAnywhere))
  try {
    const env = Object.fromEntries(servers.map(({ key, port }) => [key, String(port)]))
    const lines = 'docker() { case "$*" in *publish=*) echo other_1;; esac; }\ngrafana=no\ncheck_ports'
    const { code, output } = await lib(lines, env)
    assert.equal(code, 1, output)
    const [page, prometheus] = servers.map(({ port }) => port)
    const taken = (port: number | undefined, key: string) => `${port} \\(${key}, by the container other_1\\)`
    assert.match(output, RegExp(`in use: port .*${taken(page, 'PAGE_PORT')}`))
    assert.match(output, RegExp(`in use: port .*${taken(prometheus, 'PROMETHEUS_PORT')}`))
    assert.match(output, /^ +PAGE_PORT=\d+$/m)
    assert.match(output, /^ +PROMETHEUS_PORT=\d+$/m)
    assert.doesNotMatch(output, /GRAFANA/)
  } finally {
    for (const { server } of servers) server.close()
  }
})

test('two ports in use whose suggestions meet: different ones', async () => {
  const taken = 'listening() { case $2 in 4317 | 4318 | 14317) ;; *) return 1 ;; esac; }'
  const { output } = await lib(`docker() { :; }\n${taken}\ngrafana=no\ncheck_ports`)
  assert.match(output, /^ +OTLP_HTTP_PORT=14318\n +OTLP_PORT=14319$/m)
})

test('a clone or a Compose whose path the record of the start cannot keep: exit 2, before settings are created', async (t) => {
  const file = quoted(join(temporaryDirectory(t), "o'brien.env"))
  const start = (lines: string, env = {}) =>
    lib(`offline=no\nchoose_stack() { record=; }\n${lines}\nsettings_of_start ''`, env)
  for (const { code, output } of [
    await start(`default_settings=${file}`),
    await start('default_settings=/nowhere/local.env', { COMPOSE: '/o`brien/compose' }),
  ]) {
    assert.equal(code, 2, output)
    assert.match(output, /contains a quote/)
  }
})

async function listenAnywhere(key: string) {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { key, server, port: (server.address() as { port: number }).port }
}

test('a bind address beyond loopback: the start says what it exposes', async () => {
  const open = { BIND_ADDRESS: '0.0.0.0', PUBLIC_HOST: 'server.example.org', OTLP_BIND_ADDRESS: '0.0.0.0' }
  const { output } = await lib('report_exposure', open)
  assert.match(output, /BIND_ADDRESS=0\.0\.0\.0 exposes Jaeger, Prometheus, Alertmanager, and Grafana/)
  assert.match(output, /OTLP_BIND_ADDRESS=0\.0\.0\.0 accepts spans/)
  assert.equal((await lib('report_exposure')).output, '')
})

test('tunable settings of .env: equal to the defaults of each program', async () => {
  const env = await readFile(join(deploy, '.env'), 'utf8')
  const files = await Promise.all(
    ['otel/collector.yaml', 'jaeger/jaeger.yaml'].map((file) => readFile(join(root, file))),
  )
  const defaults = Object.fromEntries(
    [...files.join('\n').matchAll(/\$\{env:(\w+):-(\w+)}/g)].map(([, key = '', value]) => [key, value]),
  )
  for (const { env: key, ...setting } of Object.values(configTable))
    defaults[key] = 'defaultValue' in setting ? setting.defaultValue : undefined
  const tunables = [
    ...['CALLS_LIMIT', 'SERIES_EXPIRATION', 'QUEUE_ITEMS', 'SPANS_FILES', 'SPANS_FILE_MB', 'JAEGER_TTL'],
    ...['MESH_CONNECTIONS_HIGH', 'MESH_NEIGHBOURS', 'MESH_STALENESS_MS'],
  ]
  for (const key of tunables) {
    assert.notEqual(defaults[key], undefined, key)
    assert.equal(new RegExp(`^${key}=(.*)$`, 'm').exec(env)?.[1], defaults[key], key)
  }
})

test('the Collector: healthy with an answer 200, not with an open port alone', async () => {
  const states = 'states() { echo collector running none 0 0 false 1a2b; }'
  const health =
    (status: number): RequestListener =>
    (request, response) => {
      response.writeHead(request.url === '/' ? status : 404).end()
    }
  const cases: readonly (readonly [string, Server, string])[] = [
    ['says nothing', createTcpServer((socket) => socket.resume()), 'collector\n'],
    ['ends at once', createTcpServer((socket) => socket.destroy()), 'collector\n'],
    ['answers 503', createServer(health(503)), 'collector\n'],
    ['answers 200', createServer(health(200)), ''],
  ]
  for (const [behaviour, server, unhealthy] of cases) {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    try {
      const { port } = server.address() as { port: number }
      const { output, seconds } = await lib(`${states}\nunhealthy`, { COLLECTOR_HEALTH_PORT: String(port) })
      assert.equal(output, unhealthy, behaviour)
      assert.ok(seconds < 10, `${behaviour}: ${seconds} s`)
    } finally {
      await new Promise((done) => server.close(done))
    }
  }
})

const broker = 'echo a-broker running starting 0 0 false 1a2b /a-broker'
const restarted = `states() { echo collector running none 0 7 false 1a2b /collector; ${broker}; }`
const waitHealthy = (seconds: number) => `SECONDS=${seconds}\nwait_healthy 120 900`
const waits: Readonly<Record<string, readonly [lines: string, says: RegExp]>> = {
  'a service with several unhealthy containers: counted and named as often, and nothing is cut': [
    `states() { for n in {1..32}; do ${broker.replaceAll('a-broker', 'a-compute')}; echo service-with-a-long-name-$n running starting 0 0 false 2c /c; done; }\n${waitHealthy(119)}`,
    /^0 of 64 containers healthy; waiting for a-compute \(32\), (service-with-a-long-name-\d+(, |\n)){32}/,
  ],
  'an unhealthy service after 120 s since SECONDS was 0: exit 1': [
    `states() { ${broker}; }\n${waitHealthy(119)}`,
    /not healthy after 12\d s: a-broker\n/,
  ],
  'an unhealthy Jaeger: exit 1 after 900 s, since it reads its stored spans': [
    `states() { echo jaeger running starting 0 0 false 1a2b /jaeger; }\n${waitHealthy(896)}`,
    /reads the index of its stored spans[^\n]*\n[\s\S]*not healthy after 90\d s: jaeger\n/,
  ],
  'a healthy service with old restarts: not reported as a cause of the wait': [
    `${restarted}\nanswers() { true; }\n${waitHealthy(119)}`,
    /not healthy after 12\d s: a-broker\n/,
  ],
  'an unhealthy service with restarts: exit 1, reported': [
    `${restarted}\nanswers() { false; }\n${waitHealthy(119)}`,
    /collector exits right after its start \(7 restarts\)/,
  ],
  'node-logs that was OOM-killed: exit 1, names its own limit': [
    `states() { echo node-logs running starting 137 1 true 1a2b /node-logs; }\n${waitHealthy(0)}`,
    /node-logs was OOM-killed.*\n +Raise NODE_LOGS_MEMORY in \/nowhere \(now 128m\)/,
  ],
  'a service of the user’s own that was OOM-killed: exit 1, names no setting': [
    `states() { echo my-db running starting 137 1 true 1a2b /my-db; }\n${waitHealthy(0)}`,
    /my-db was OOM-killed.*\n +Raise its mem_limit in deploy\/compose\.override\.yaml/,
  ],
  'a Compose that starts nothing: exit 1': [`states() { :; }\n${waitHealthy(0)}`, /Compose started no container/],
}
for (const [title, [lines, says]] of Object.entries(waits))
  test(title, async () => {
    const { code, output, seconds } = await lib(lines)
    assert.equal(code, 1, output)
    assert.match(output, says)
    assert.ok(seconds < 20, `${seconds} s`)
  })

test('COMPOSE_FILE of another stack: ignored', async () => {
  const lines = `compose=(sh -c 'env; echo "$@"' -)\ncompose up`
  const { code, output } = await lib(lines, { COMPOSE_FILE: '/elsewhere/compose.yaml' })
  assert.equal(code, 0, output)
  assert.doesNotMatch(output, /elsewhere/)
  assert.match(output, /^--file compose\.yaml up$/m)
})

test('quick health checks: with Compose 2 and an engine from version 25 on, not with others', async () => {
  const files = async (compose: string, engine: string) => {
    const lines = `compose=(fake)\nfake() { echo ${compose}; }\ndocker() { echo ${engine}; }`
    return (await lib(`${lines}\nif can_check_quickly; then echo yes; else echo no; fi`)).output
  }
  assert.equal(await files('v2.40.3', '28.2.2'), 'yes\n')
  assert.equal(await files('5.0.1', '25.0.0'), 'yes\n')
  assert.equal(await files('1.29.2', '28.2.2'), 'no\n')
  assert.equal(await files('2.40.3', '20.10.24+dfsg1'), 'no\n')
  assert.equal(await files('2.9.0', '25.0.0'), 'no\n')
  const added = `compose=(echo)\ncfg_STACK_QUICK_CHECKS=yes cfg_PPROF_PORT=6060 cfg_JAEGER_UI_ASSETS=/page\ncompose up`
  const names = ['compose.yaml', 'compose.pprof.yaml', 'compose.jaeger-page.yaml', 'compose.quick-checks.yaml']
  assert.equal((await lib(added)).output, `${names.map((name) => `--file ${name}`).join(' ')} up\n`)
})

test('a generated token: shown on a terminal, elsewhere the command that shows it', async (t) => {
  const made =
    'states() { echo observer running healthy 0 0 false 0123456789abcdef; }\ndocker() { echo SECRET; }\npage_text() { :; }\nwhere'
  const piped = await lib(made)
  assert.doesNotMatch(piped.output, /SECRET/)
  assert.match(piped.output, /token: see: docker exec 0123456789ab cat \/var\/lib\/tracemesh\/page-token\n/)
  const configured = await lib(made, { PAGE_TOKEN: 'a-token-of-some-length' })
  assert.match(configured.output, /token: PAGE_TOKEN of your shell\n/)
  const { code } = await lib('command -v script')
  if (code !== 0) return skipWithout(t, 'script', 'the program `script` is not installed')
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-terminal-'))
  const file = join(temporary.path, 'where.sh')
  await writeFile(file, [`here=${quoted(deploy)}`, ...parts, 'load_settings /nowhere', made].join('\n'))
  const command = `script -qec ${quoted(`bash ${file}`)} /dev/null`
  const shown = await sh(command, root, plainEnvironment(), AbortSignal.timeout(60_000))
  assert.match(shown.output, /token: SECRET\r?\n/)
})

test('images without a page: the addresses say so and where to look; with one, or without an answer, nothing', async (t) => {
  const bodies: Record<string, string> = {}
  const server = createServer((request, response) => void response.end(bodies[request.url ?? ''] ?? 'a page'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const port = String((server.address() as { port: number }).port)
  const env = { JAEGER_UI_PORT: port, PROMETHEUS_PORT: port }
  const notes = async () => (await lib('derive_settings\nmissing_pages', env)).output
  assert.equal(await notes(), '')
  bodies['/'] = '<p>\nThis is a placeholder for the Jaeger UI home page.\n</p>'
  assert.match(await notes(), /Jaeger has no page.*http:\/\/127\.0\.0\.1:16680\/#\/traces\n.*JAEGER_UI_ASSETS/)
  bodies['/query'] = 'Error opening React index.html: open web/ui/static'
  assert.match(await notes(), /Prometheus has no page.*http:\/\/127\.0\.0\.1:9093\/#\/alerts/)
})

test('stop.sh with remaining objects: exit 1, names them and the command to remove them', async () => {
  // A copy: the clone may have records of a stack that runs.
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-docker-'))
  const bin = temporary.path
  await cp(deploy, join(bin, 'deploy'), { recursive: true, filter: (path) => !path.includes('.started') })
  const program = async (name: string, script: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(bin, name), 0o755)
  }
  const stop = (flags: string) => {
    const env = { ...plainEnvironment(bin), COMPOSE: 'down-fails' }
    return sh(`deploy/stop.sh ${flags}`, bin, env, AbortSignal.timeout(60_000))
  }
  await program('down-fails', 'case "$*" in *down*) echo "has active endpoints" >&2; exit 1;; esac')
  await program('docker', 'case "$1" in network) echo mesh_default;; volume) echo mesh_jaeger;; esac')
  const piped = await stop('')
  assert.equal(piped.code, 1, piped.output)
  assert.match(piped.output, /has active endpoints/)
  assert.match(piped.output, /still there: network mesh_default\n[\s\S]*docker network rm mesh_default\n/)
  const deleted = await stop('--delete-data')
  assert.equal(deleted.code, 1, deleted.output)
  assert.match(deleted.output, /network mesh_default; volume mesh_jaeger\n[\s\S]*docker volume rm mesh_jaeger\n/)
  await program('docker', 'case "$1" in volume) echo mesh_jaeger;; esac')
  const clean = await stop('')
  assert.equal(clean.code, 0, clean.output)
  const calls = join(bin, 'calls')
  await program('down-fails', `echo "$*" >> ${quoted(calls)}`)
  const inspected = 'a-broker running healthy 0 0 false 1a /a; collector running none 0 0 false 2b /c'
  const rows = [inspected, 'prometheus running healthy 0 0 false 3c /p'].join('; ').replaceAll('; ', '\\n')
  await program('docker', `case "$1" in ps) echo 1a;; inspect) printf '${rows}\\n';; esac`)
  await program('sleep', 'true')
  const ordered = await stop('')
  assert.match(ordered.output, /until Prometheus has counted the goodbyes/)
  assert.match(await readFile(calls, 'utf8'), / stop a-broker$[\s\S]* --profile grafana down /m)
  const now = await stop('--now')
  assert.doesNotMatch(now.output, /counted the goodbyes/)
})

const settingsOf = (lines: readonly string[]) =>
  Object.fromEntries(lines.map((line) => line.split('='))) as Record<string, string>

/** A clone's deploy directory whose Docker and Compose are scripts: containers are lines of a file. */
async function fakeClone(t: TestContext) {
  const clone = temporaryDirectory(t)
  const bin = join(clone, 'bin')
  for (const part of ['deploy', 'otel', 'jaeger'])
    await cp(join(root, part), join(clone, part), {
      recursive: true,
      filter: (path) => !/\/(k8s|pictures|\.started|local\.env)$/.test(path),
    })
  await mkdir(bin)
  const program = async (name: string, script: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  }
  const row = 'a-broker running healthy 0 0 false 1a2b /a-broker'
  const docker = [
    `cd ${quoted(clone)}`,
    'case "$*" in',
    '  *publish=*) ;;',
    // The filter has the name of the project; each running project is a file.
    '  "ps "*) for p in up/*; do case "$*" in *"project=$(basename $p) "*) echo 1a2b;; esac; done;;',
    `  inspect*Health*) echo ${row};;`,
    '  info*NCPU*) echo 4;;',
    '  "volume "*) cat volumes 2>/dev/null;;',
    'esac',
  ]
  await program('docker', docker.join('\n'))
  const compose = [
    'case "$*" in',
    '  *"up -d"*) mkdir -p ../up && touch ../up/$COMPOSE_PROJECT_NAME;;',
    '  *down*) rm -f ../up/$COMPOSE_PROJECT_NAME;;',
    '  *"alert query severity!=none"*) cat ../alerts;;',
    `  *"alert query"*) cat ../alerts; echo ${watchdog.name} now summary active;;`,
    'esac',
    'echo "$COMPOSE_PROJECT_NAME $PAGE_PORT $COMPOSE_PROFILES $JAEGER_IMAGE $*" >> ../calls',
  ]
  await program('fake-compose', compose.join('\n'))
  await program('sleep', 'true')
  await writeFile(join(clone, 'alerts'), 'Alertname Starts Summary State\n')
  const identity = '-c user.name=test -c user.email=test@example.org'
  await program('commit', `git init -q && git add deploy/.env && git ${identity} commit -qm test`)
  const ports = await freeTcpPorts(Array.from({ length: 10 }, () => 0))
  const [page = 0, other = 0, ...rest] = ports
  const keys = ['JAEGER_UI', 'PROMETHEUS', 'ALERTMANAGER', 'GRAFANA', 'OTLP', 'OTLP_HTTP', 'COLLECTOR_HEALTH']
  const lines = keys.map((key, index) => `${key}_PORT=${rest[index]}`)
  return {
    deploy: join(clone, 'deploy'),
    page,
    other,
    ports: lines,
    /** The last call of Compose that starts or removes containers: project, port of the page, profile, image. */
    lastCall: async () =>
      (await readFile(join(clone, 'calls'), 'utf8'))
        .split('\n')
        .findLast((line) => /up -d|down/.test(line))
        ?.split(' --')[0],
    run: (command: string, env: Readonly<Record<string, string>> = {}) =>
      sh(`deploy/${command}`, clone, { ...plainEnvironment(bin), COMPOSE: '', ...env }, AbortSignal.timeout(60_000)),
  }
}

test('a stack: later commands speak of what it was started with, until stop.sh', async (t) => {
  const { deploy, page, other, ports, lastCall, run } = await fakeClone(t)
  const file = join(deploy, 'own settings.env')
  const own = [`PAGE_PORT=${page}`, 'COMPOSE_PROJECT_NAME=own', 'PAGE_TOKEN=SECRET-0123456789']
  await writeFile(file, [...ports, ...own].join('\r\n'), { mode: 0o644 })
  const once = { COMPOSE: 'fake-compose', PAGE_PORT: String(other) }
  const start = await run(`start.sh --settings ${quoted(file)} --nodes 1 --offline`, once)
  assert.equal(start.code, 0, start.output)
  assert.match(start.output, RegExp(`^page +http://127\\.0\\.0\\.1:${other} `, 'm'))
  assert.match(start.output, /^project +own, settings: deploy\/own settings\.env$/m)
  assert.match(start.output, /every user of this machine can read the token .* deploy\/own settings\.env/)
  assert.doesNotMatch(start.output, /SECRET/)
  const image = 'tracemesh-offline/jaeger:2.13.0'
  assert.equal(await lastCall(), `own ${other}  ${image}`)
  const mode = async (path: string) => ((await stat(join(deploy, path))).mode & 0o777).toString(8)
  assert.deepEqual([await mode('.started/own.env'), await mode('.started/own/ui.json')], ['600', '644'])
  const ui = await readFile(join(deploy, '.started/own/ui.json'), 'utf8')
  assert.match(ui, RegExp(`"http://127\\.0\\.0\\.1:${other}/#/topology"`))
  assert.doesNotMatch(ui, /:16680/)
  const status = await run('status.sh')
  assert.match(status.output, RegExp(`^page +http://127\\.0\\.0\\.1:${other} `, 'm'), status.output)
  assert.doesNotMatch(status.output, /unbound|error/)
  const again = await run('start.sh')
  assert.equal(again.code, 0, again.output)
  assert.equal(await lastCall(), `own ${other}  ${image}`)
  // With volumes, project and file remain, and neither the images nor the variables of the shell.
  const volumes = join(deploy, '../volumes')
  await writeFile(volumes, 'own_jaeger\n')
  await run('stop.sh --now')
  const back = await run('start.sh', { COMPOSE: 'fake-compose' })
  assert.equal(back.code, 0, back.output)
  assert.equal(await lastCall(), `own ${page}  jaegertracing/jaeger:2.13.0`)
  await rm(volumes)
  const onceMore = await run('start.sh --offline', once)
  assert.equal(onceMore.code, 0, onceMore.output)
  const stop = await run('stop.sh --now')
  assert.equal(stop.code, 0, stop.output)
  assert.equal(await lastCall(), `own ${other}  ${image}`)
  assert.equal(existsSync(join(deploy, '.started')), false, 'without volumes nothing is left')
})

test('the first start: creates settings with a token for their owner alone; the next keeps them', async (t) => {
  const { deploy, page, ports, lastCall, run } = await fakeClone(t)
  const env = {
    COMPOSE: 'fake-compose',
    PAGE_PORT: String(page),
    ...settingsOf(ports),
  }
  const first = await run('start.sh --nodes 1', env)
  assert.equal(first.code, 0, first.output)
  assert.match(first.output, /created deploy\/local\.env/)
  const file = join(deploy, 'local.env')
  const token = /^PAGE_TOKEN=([\w-]{32})$/m.exec(await readFile(file, 'utf8'))?.[1]
  assert.notEqual(token, undefined)
  assert.equal(((await stat(file)).mode & 0o777).toString(8), '600')
  assert.doesNotMatch(first.output, RegExp(token ?? ''))
  assert.match(first.output, /token: PAGE_TOKEN of deploy\/local\.env/)
  await run('../bin/commit', {})
  await appendFile(join(deploy, '.env'), '# changed\n')
  const second = await run('start.sh --grafana')
  assert.doesNotMatch(second.output, /created/)
  assert.match(second.output, /deploy\/\.env has changes; move them to deploy\/local\.env/)
  assert.doesNotMatch(first.output, /has changes/)
  assert.match((await lastCall()) ?? '', RegExp(`^tracemesh ${page} grafana `))
  await run('start.sh')
  assert.match((await lastCall()) ?? '', RegExp(`^tracemesh ${page} grafana `))
  await writeFile(file, 'COMPOSE_PROJECT_NAME=renamed\n')
  const renamed = await run('start.sh')
  assert.equal(renamed.code, 2, renamed.output)
  assert.match(renamed.output, /the stack tracemesh runs with deploy\/local\.env.*renamed\n.*deploy\/stop\.sh/)
  const missing = await run('start.sh --settings nowhere.env')
  assert.match(missing.output, /nowhere\.env does not exist\n.*local\.env\.template/)
})

test('status.sh while only the alert that always fires does: exit 0; with another one: exit 1, named', async (t) => {
  const { deploy, page, ports, run } = await fakeClone(t)
  const env = { COMPOSE: 'fake-compose', PAGE_PORT: String(page), ...settingsOf(ports) }
  const start = await run('start.sh --nodes 1', env)
  assert.equal(start.code, 0, start.output)
  const status = await run('status.sh')
  assert.match(status.output, /^no alert fires$/m)
  assert.equal(status.code, 0, status.output)
  await appendFile(join(deploy, '../alerts'), 'MeshSeedGiveup now summary active\n')
  const firing = await run('status.sh')
  assert.equal(firing.code, 1, firing.output)
  assert.match(firing.output, /^firing alerts:\nMeshSeedGiveup /m)
  assert.doesNotMatch(firing.output, RegExp(watchdog.name))
  const extra = await run(`status.sh --settings ${quoted(join(deploy, 'local.env'))} --nonsense`)
  assert.equal(extra.code, 2, extra.output)
})

test('a variable of one’s own compose.override.yml: recorded with its value; one that the record cannot keep: exit 2 before anything starts', async (t) => {
  const { deploy, page, ports, lastCall, run } = await fakeClone(t)
  const own = `services: { a-broker: { user: "$UID", labels: ["\${DB2_NAME:-none}", "\${MY_VAR:-none}"] } }\n`
  await writeFile(join(deploy, 'compose.override.yml'), own)
  const env = { COMPOSE: 'fake-compose', PAGE_PORT: String(page), ...settingsOf(ports) }
  const refused = await run('start.sh --nodes 1', { ...env, MY_VAR: "it's SECRET" })
  assert.equal(refused.code, 2, refused.output)
  assert.match(refused.output, /MY_VAR of your shell contains a quote/)
  assert.doesNotMatch(refused.output, /SECRET/)
  await assert.rejects(lastCall(), 'Compose was not called')
  const start = await run('start.sh --nodes 1', { ...env, MY_VAR: 'a # b', DB2_NAME: 'two' })
  assert.equal(start.code, 0, start.output)
  const record = await readFile(join(deploy, '.started/tracemesh.env'), 'utf8')
  assert.match(record, /^MY_VAR='a # b'$/m)
  assert.match(record, /^DB2_NAME='two'$/m)
  for (const script of ['status.sh', 'start.sh', 'stop.sh --now']) {
    const { code, output } = await run(script)
    assert.equal(code, 0, `${script}: ${output}`)
  }
})

test('a build at the start: reads the settings of the start, and no other file', async (t) => {
  const { deploy, page, ports, run } = await fakeClone(t)
  const file = join(deploy, 'own.env')
  await writeFile(file, [...ports, `PAGE_PORT=${page}`].join('\n'))
  await writeFile(join(deploy, 'local.env'), 'OF_ANOTHER_STACK=1\n')
  const { code, output } = await run(`start.sh --settings ${quoted(file)} --nodes 1 --build`, {
    COMPOSE: 'fake-compose',
  })
  assert.equal(code, 0, output)
  assert.match(output, /building tracemesh\/node:dev/)
})

test('several stacks of one clone: the scripts ask for a name', async (t) => {
  const { deploy, run } = await fakeClone(t)
  const records = join(deploy, '.started')
  await mkdir(records)
  for (const name of ['a', 'b'])
    await writeFile(
      join(records, `${name}.env`),
      `COMPOSE_PROJECT_NAME='${name}'\nSTACK_SETTINGS='/x'\nSTACK_SHELL=''\n`,
    )
  for (const script of ['start.sh', 'status.sh', 'stop.sh']) {
    const { code, output } = await run(script, { COMPOSE: 'fake-compose' })
    assert.equal(code, 2, output)
    assert.match(output, RegExp(`started from here: a, b\\n.*COMPOSE_PROJECT_NAME=a deploy/${script}`))
  }
  const named = await run('status.sh', { COMPOSE: 'fake-compose', COMPOSE_PROJECT_NAME: 'a' })
  assert.match(named.output, /the stack a is not running/)
})

test('offline.sh docker: the daemon keeps no descriptor of the caller, such as a lock', async (t) => {
  const bin = temporaryDirectory(t)
  const program = (name: string, script: string) =>
    writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  await program('id', 'echo 0')
  await program('dpkg', 'true')
  await program('docker', `test -e ${bin}/up`)
  await program('dockerd', `ls -l /proc/$$/fd > ${bin}/open; touch ${bin}/up; sleep 2`)
  const env = { ...plainEnvironment(bin), TRACEMESH_STACK: join(bin, 'stack') }
  const command = `exec 7>${bin}/lock-of-the-caller; deploy/offline.sh docker`
  const { code, output } = await sh(command, root, env, AbortSignal.timeout(60_000))
  assert.equal(code, 0, output)
  const open = await readFile(join(bin, 'open'), 'utf8')
  assert.match(open, /dockerd\.log/)
  assert.doesNotMatch(open, /lock/)
})

const scripts = globSync('deploy/{*,lib/*,offline/*}.sh', { cwd: root })
const run = (command: string, cwd = root) => sh(command, cwd, plainEnvironment(), AbortSignal.timeout(60_000))

test('shellcheck on all scripts: no finding', async (t) => {
  assert.ok(scripts.length >= 10)
  if ((await run('command -v shellcheck')).code !== 0)
    return skipWithout(t, 'shellcheck', 'shellcheck is not installed')
  const { code, output } = await run(`shellcheck -x ${scripts.join(' ')}`)
  assert.equal(code, 0, output)
})

test('every script: prints --help, and exits with 2 for an unknown option', async () => {
  for (const script of scripts.filter((name) => /^deploy\/(start|stop|build|status|offline)\.sh$/.test(name))) {
    const help = await run(`${script} --help`)
    assert.equal(help.code, 0, `${script}: ${help.output}`)
    assert.match(help.output, /^usage: /)
    const wrong = await run(`${script} --nonsense`)
    assert.equal(wrong.code, 2, `${script}: ${wrong.output}`)
    assert.match(wrong.output, /--help/)
  }
})

test('compose.yaml: valid for each installed Compose', async (t) => {
  const found = []
  for (const compose of composeCommands) {
    if ((await run(`${compose} version`)).code !== 0) continue
    found.push(compose)
    const isFirst = compose === 'docker-compose'
    const added = ['pprof', 'jaeger-page', ...(isFirst ? [] : ['quick-checks'])]
    const files = ['compose.yaml', ...added.map((name) => `compose.${name}.yaml`)].map((file) => `--file ${file}`)
    for (const options of ['', `${files.join(' ')} `]) {
      const command = `PPROF_PORT=6060 JAEGER_UI_ASSETS=/tmp ${compose} ${options}--profile grafana config --quiet`
      const { code, output } = await run(command, resolve(root, 'deploy'))
      assert.equal(code, 0, `${compose}: ${output}`)
    }
  }
  if (found.length === 0) skipWithout(t, 'compose', 'neither Compose v1 nor v2 is installed')
})
