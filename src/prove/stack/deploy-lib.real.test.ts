import assert from 'node:assert/strict'
import { chmod, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { configTable } from '../../node/config-table.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { notRun } from '../../testing/not-run.ts'
import { plainEnvironment, root, sh } from '../shell.ts'

leakCheck()

const deploy = join(root, 'deploy')
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** Runs lines of Bash after the parts of deploy/lib, with the files of `here` and a Docker of four CPUs. */
function lib(lines: string, env: Readonly<Record<string, string>> = {}, here = deploy) {
  const parts = ['say', 'settings', 'docker', 'wait', 'where'].map((part) => `. "$here/lib/${part}.sh"`)
  const script = ['set -euo pipefail', `here=${quoted(here)}`, ...parts, 'docker() { echo 4; }', lines].join('\n')
  return sh(`bash -c ${quoted(script)}`, root, { ...plainEnvironment(), ...env }, AbortSignal.timeout(60_000))
}

test('a value that a container could not use is refused, with what it may be', async () => {
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['PAGE_TOKEN', 'sixteen-or-more-$HOME', /PAGE_TOKEN=\(hidden\).*is not a token/],
    ['PAGE_TOKEN', 'short', /16 to 256 letters/],
    ['MESH_MAX_PEERS', '1', /from 2 to 10000/],
    ['MESH_NEIGHBOURS', '65', /from 1 to 64/],
    ['MESH_STALENESS_MS', '999', /from 1000 to 3600000/],
    ['QUEUE_ITEMS', '500', /from 2048/],
    ['SPANS_FILES', '0', /from 1 /],
    ['SPANS_FILE_MB', '1.5', /from 1 /],
    ['CALLS_LIMIT', '08000', /from 100 /],
    ['SERIES_EXPIRATION', '1d', /h, m or s/],
    ['JAEGER_TTL', 'week', /h, m or s/],
  ]
  for (const [key, value, says] of refused) {
    const { code, output } = await lib('check_settings', { [key]: value })
    assert.equal(code, 2, `${key}=${value}: ${output}`)
    assert.match(output, says)
  }
  const few = await lib('check_settings', { MESH_MAX_PEERS: '4' })
  assert.match(few.output, /MESH_NEIGHBOURS=8 .* is above MESH_MAX_PEERS/)
  const { code, output } = await lib('check_settings', {
    PAGE_TOKEN: 'letters.digits_~+/=-0123',
    MESH_NEIGHBOURS: '64',
  })
  assert.equal(code, 0, output)
})

test('a $ in .env is refused, and the value is not shown; so is one without the name of the project', async () => {
  const here = await mkdtemp(join(tmpdir(), 'tracemesh-env-'))
  try {
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
  } finally {
    await rm(here, { recursive: true })
  }
})

test('what operators are told to change is, unless they do, what each program has by itself', async () => {
  const env = await readFile(join(deploy, '.env'), 'utf8')
  const files = await Promise.all(
    ['otel/collector.yaml', 'jaeger/jaeger.yaml'].map((file) => readFile(join(root, file))),
  )
  const defaults = Object.fromEntries(
    [...files.join('\n').matchAll(/\$\{env:(\w+):-(\w+)}/g)].map(([, key = '', value]) => [key, value]),
  )
  for (const { env: key, ...setting } of Object.values(configTable))
    defaults[key] = 'defaultValue' in setting ? setting.defaultValue : undefined
  const told = [
    ...['CALLS_LIMIT', 'SERIES_EXPIRATION', 'QUEUE_ITEMS', 'SPANS_FILES', 'SPANS_FILE_MB', 'JAEGER_TTL'],
    ...['MESH_MAX_PEERS', 'MESH_NEIGHBOURS', 'MESH_STALENESS_MS'],
  ]
  for (const key of told) {
    assert.notEqual(defaults[key], undefined, key)
    assert.equal(new RegExp(`^${key}=(.*)$`, 'm').exec(env)?.[1], defaults[key], key)
  }
})

test('the Collector is well when it answers 200; that its port opens is not enough', async () => {
  const states = 'states() { echo collector running none 0 0 false 1a2b; }'
  const health =
    (status: number): RequestListener =>
    (request, response) => {
      response.writeHead(request.url === '/' ? status : 404).end()
    }
  const ways: readonly (readonly [string, Server, string])[] = [
    ['says nothing', createTcpServer((socket) => socket.resume()), 'collector\n'],
    ['ends at once', createTcpServer((socket) => socket.destroy()), 'collector\n'],
    ['answers 503', createServer(health(503)), 'collector\n'],
    ['answers 200', createServer(health(200)), ''],
  ]
  for (const [way, server, unhealthy] of ways) {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    try {
      const { port } = server.address() as { port: number }
      const { output, seconds } = await lib(`${states}\nunhealthy`, { COLLECTOR_HEALTH_PORT: String(port) })
      assert.equal(output, unhealthy, way)
      assert.ok(seconds < 10, `${way}: ${seconds} s`)
    } finally {
      await new Promise((done) => server.close(done))
    }
  }
})

test('time to be healthy counts from where the caller has set it to 0', async () => {
  const never = 'states() { echo a-broker running starting 0 0 false 1a2b /a-broker; }'
  const { code, output, seconds } = await lib(`${never}\nSECONDS=119\nwait_healthy 120 900`)
  assert.equal(code, 1, output)
  assert.match(output, /not healthy after 12\d s: a-broker\n/)
  assert.ok(seconds < 20, `${seconds} s`)
})

test('Jaeger alone may take longer, since it reads what it has kept, and not for ever', async () => {
  const never = 'states() { echo jaeger running starting 0 0 false 1a2b /jaeger; }'
  const { code, output } = await lib(`${never}\nSECONDS=896\nwait_healthy 120 900`)
  assert.equal(code, 1, output)
  assert.match(output, /reads the index of its stored spans[^\n]*\n[\s\S]*not healthy after 90\d s: jaeger\n/)
})

test('who was started again long ago and is well now is not what is being waited for', async () => {
  const states = [
    'echo collector running none 0 7 false 1a2b /collector',
    'echo a-broker running starting 0 0 false 1a2b /a-broker',
  ].join('; ')
  const well = `states() { ${states}; }\nanswers() { true; }\nSECONDS=119\nwait_healthy 120 900`
  assert.match((await lib(well)).output, /not healthy after 12\d s: a-broker\n/)
  const ill = await lib(well.replace('true', 'false'))
  assert.match(ill.output, /collector exits right after its start/)
})

test('a Compose that has started nothing is no success', async () => {
  const { code, output } = await lib('states() { :; }\nwait_healthy 120 900')
  assert.equal(code, 1, output)
  assert.match(output, /Compose started no container/)
})

test('Compose is not led to the file of another stack', async () => {
  const { code, output } = await lib('compose=(env)\ncompose', { COMPOSE_FILE: '/elsewhere/compose.yaml' })
  assert.equal(code, 0, output)
  assert.doesNotMatch(output, /elsewhere/)
})

test('the token that was made is shown on a terminal, and elsewhere the command that shows it', async () => {
  const made =
    'states() { echo observer running healthy 0 0 false 0123456789abcdef; }\ndocker() { echo SECRET; }\nwhere'
  const kept = await lib(made)
  assert.doesNotMatch(kept.output, /SECRET/)
  assert.match(kept.output, /token: see: docker exec 0123456789ab cat \/var\/lib\/tracemesh\/page-token\n/)
  const given = await lib(made, { PAGE_TOKEN: 'a-token-of-some-length' })
  assert.match(given.output, /token: PAGE_TOKEN of deploy\/\.env\n/)
  const { code } = await lib('command -v script')
  if (code !== 0) return notRun('a token on a terminal', 'there is no program `script`')
  const file = join(await mkdtemp(join(tmpdir(), 'tracemesh-terminal-')), 'where.sh')
  const parts = ['say', 'settings', 'docker', 'where'].map((part) => `. "$here/lib/${part}.sh"`)
  try {
    await writeFile(file, [`here=${quoted(deploy)}`, ...parts, made].join('\n'))
    const command = `script -qec ${quoted(`bash ${file}`)} /dev/null`
    const shown = await sh(command, root, plainEnvironment(), AbortSignal.timeout(60_000))
    assert.match(shown.output, /token: SECRET\r?\n/)
  } finally {
    await rm(join(file, '..'), { recursive: true })
  }
})

test('stop.sh fails when anything is left, and says what and how to remove it', async () => {
  const bin = await mkdtemp(join(tmpdir(), 'tracemesh-docker-'))
  const program = async (name: string, script: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(bin, name), 0o755)
  }
  const stop = (flags: string) => {
    const env = { ...plainEnvironment(bin), COMPOSE: 'down-fails' }
    return sh(`deploy/stop.sh ${flags}`, root, env, AbortSignal.timeout(60_000))
  }
  try {
    await program('down-fails', 'case "$*" in *down*) echo "has active endpoints" >&2; exit 1;; esac')
    await program('docker', 'case "$1" in network) echo mesh_default;; volume) echo mesh_jaeger;; esac')
    const kept = await stop('')
    assert.equal(kept.code, 1, kept.output)
    assert.match(kept.output, /has active endpoints/)
    assert.match(kept.output, /still there: network mesh_default\n[\s\S]*docker network rm mesh_default\n/)
    const deleted = await stop('--delete-data')
    assert.equal(deleted.code, 1, deleted.output)
    assert.match(deleted.output, /network mesh_default; volume mesh_jaeger\n[\s\S]*docker volume rm mesh_jaeger\n/)
    await program('docker', 'case "$1" in volume) echo mesh_jaeger;; esac')
    const clean = await stop('')
    assert.equal(clean.code, 0, clean.output)
    const asked = join(bin, 'asked')
    await program('down-fails', `echo "$*" >> ${quoted(asked)}`)
    const inspected = 'a-broker running healthy 0 0 false 1a /a; collector running none 0 0 false 2b /c'
    const rows = [inspected, 'prometheus running healthy 0 0 false 3c /p'].join('; ').replaceAll('; ', '\\n')
    await program('docker', `case "$1" in ps) echo 1a;; inspect) printf '${rows}\\n';; esac`)
    await program('sleep', 'true')
    const ordered = await stop('')
    assert.match(ordered.output, /until Prometheus has counted the goodbyes/)
    assert.match(await readFile(asked, 'utf8'), /^stop a-broker$[\s\S]*^--profile grafana down /m)
    const now = await stop('--now')
    assert.doesNotMatch(now.output, /counted the goodbyes/)
  } finally {
    await rm(bin, { recursive: true })
  }
})
