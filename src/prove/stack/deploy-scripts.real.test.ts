import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { chmod, cp, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { configTable } from '../../node/config-table.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { skipWithout } from '../../testing/requirement.ts'
import { plainEnvironment, root, sh } from '../shell.ts'
import { composeCommands } from './containers.ts'

leakCheck()

const deploy = join(root, 'deploy')
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** Runs lines of Bash after the parts of deploy/lib, with the files of `here` and a Docker with four CPUs. */
function lib(lines: string, env: Readonly<Record<string, string>> = {}, here = deploy) {
  const parts = ['say', 'settings', 'docker', 'wait', 'where'].map((part) => `. "$here/lib/${part}.sh"`)
  const script = ['set -euo pipefail', `here=${quoted(here)}`, ...parts, 'docker() { echo 4; }', lines].join('\n')
  return sh(`bash -c ${quoted(script)}`, root, { ...plainEnvironment(), ...env }, AbortSignal.timeout(60_000))
}

test('an invalid setting: exit 2, with the valid values', async () => {
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['PAGE_TOKEN', 'sixteen-or-more-$HOME', /PAGE_TOKEN=\(hidden\).*is not a token/],
    ['PAGE_TOKEN', 'short', /16 to 256 letters/],
    ['MESH_CONNECTIONS_HIGH', '1', /from 2 to 10000/],
    ['MESH_NEIGHBOURS', '65', /from 1 to 64/],
    ['MESH_STALENESS_MS', '999', /from 1000 to 3600000/],
    ['QUEUE_ITEMS', '500', /from 2048/],
    ['SPANS_FILES', '0', /from 1 /],
    ['SPANS_FILE_MB', '1.5', /from 1 /],
    ['CALLS_LIMIT', '08000', /from 100 /],
    ['SERIES_EXPIRATION', '1d', /h, m or s/],
    ['JAEGER_TTL', 'week', /h, m or s/],
    ['PPROF_PORT', '16680', /port 16680 is assigned twice/],
    ...['0', 'x', '70000', '127.0.0.1:6060'].map((port) => ['PPROF_PORT', port, /is not a port/] as const),
  ]
  for (const [key, value, says] of refused) {
    const { code, output } = await lib('check_settings', { [key]: value })
    assert.equal(code, 2, `${key}=${value}: ${output}`)
    assert.match(output, says)
  }
  const few = await lib('check_settings', { MESH_CONNECTIONS_HIGH: '4' })
  assert.match(few.output, /MESH_NEIGHBOURS=8 .* is above MESH_CONNECTIONS_HIGH/)
  assert.match((await lib('check_settings', { PPROF_PORT: '6060', PAGE_TOKEN: 'short' })).output, /PAGE_TOKEN/)
  const good = { PAGE_TOKEN: 'letters.digits_~+/=-0123', MESH_NEIGHBOURS: '64', PPROF_PORT: '6060' }
  for (const env of [{}, good]) {
    const { code, output } = await lib('check_settings', env)
    assert.deepEqual([code, output], [0, ''])
  }
})

test('a $ in .env, or no project name: exit 2, and the value stays hidden', async () => {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-env-'))
  const here = temporary.path
  await cp(deploy, here, { recursive: true })
  const file = join(here, '.env')
  const env = await readFile(file, 'utf8')
  await writeFile(file, env.replace(/^COMPOSE_PROJECT_NAME=.*$/m, ''))
  assert.match((await lib('check_settings', {}, here)).output, /COMPOSE_PROJECT_NAME is missing/)
  await writeFile(file, env.replace('PAGE_TOKEN=', 'PAGE_TOKEN=0123456789$abcdef'))
  const { code, output } = await lib('check_settings', {}, here)
  assert.equal(code, 2, output)
  assert.match(output, /line \d+ is invalid\n.*without spaces, quotes and \$/)
  assert.doesNotMatch(output, /0123456789/)
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
    /collector exits right after its start/,
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
  const { code, output } = await lib('compose=(env)\ncompose', { COMPOSE_FILE: '/elsewhere/compose.yaml' })
  assert.equal(code, 0, output)
  assert.doesNotMatch(output, /elsewhere/)
})

test('a generated token: shown on a terminal, elsewhere the command that shows it', async (t) => {
  const made =
    'states() { echo observer running healthy 0 0 false 0123456789abcdef; }\ndocker() { echo SECRET; }\nwhere'
  const piped = await lib(made)
  assert.doesNotMatch(piped.output, /SECRET/)
  assert.match(piped.output, /token: see: docker exec 0123456789ab cat \/var\/lib\/tracemesh\/page-token\n/)
  const configured = await lib(made, { PAGE_TOKEN: 'a-token-of-some-length' })
  assert.match(configured.output, /token: PAGE_TOKEN of deploy\/\.env\n/)
  const { code } = await lib('command -v script')
  if (code !== 0) return skipWithout(t, 'script', 'the program `script` is not installed')
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-terminal-'))
  const file = join(temporary.path, 'where.sh')
  const parts = ['say', 'settings', 'docker', 'where'].map((part) => `. "$here/lib/${part}.sh"`)
  await writeFile(file, [`here=${quoted(deploy)}`, ...parts, made].join('\n'))
  const command = `script -qec ${quoted(`bash ${file}`)} /dev/null`
  const shown = await sh(command, root, plainEnvironment(), AbortSignal.timeout(60_000))
  assert.match(shown.output, /token: SECRET\r?\n/)
})

test('stop.sh with remaining objects: exit 1, names them and the command to remove them', async () => {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-docker-'))
  const bin = temporary.path
  const program = async (name: string, script: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(bin, name), 0o755)
  }
  const stop = (flags: string) => {
    const env = { ...plainEnvironment(bin), COMPOSE: 'down-fails' }
    return sh(`deploy/stop.sh ${flags}`, root, env, AbortSignal.timeout(60_000))
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
  assert.match(await readFile(calls, 'utf8'), /^stop a-broker$[\s\S]*^--profile grafana down /m)
  const now = await stop('--now')
  assert.doesNotMatch(now.output, /counted the goodbyes/)
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
    const { code, output } = await run(`${compose} --profile grafana config --quiet`, resolve(root, 'deploy'))
    assert.equal(code, 0, `${compose}: ${output}`)
  }
  if (found.length === 0) skipWithout(t, 'compose', 'neither Compose v1 nor v2 is installed')
})
