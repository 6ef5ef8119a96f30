import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { missingProxyExemption, missingSettings, processSettings } from './launcher.js'
import { until } from './processes/waiting.ts'
import { isAlive } from './testing/cluster/process-tree.ts'
import { leakCheck } from './testing/leak-check.ts'
import { temporaryDirectory } from './testing/surroundings.ts'

leakCheck()

const dev = fileURLToPath(new URL('./dev.js', import.meta.url))
const bin = fileURLToPath(new URL('./bin.js', import.meta.url))
const settings = { TOKIO_WORKER_THREADS: '1', MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072' }

// Simulates other machines with preloaded code.
const withoutExecve = preload('process.execve = undefined')
const asNode = (version: string) =>
  preload(`Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`)

const directory = temporaryDirectory({ after })
let reporting = ''
let typescript = ''
let waiting = ''
let orphan = ''

before(() => {
  const script = `const { pid, argv, execArgv, env } = process
    console.log(JSON.stringify({ pid, args: argv.slice(2), entry: argv[1], flags: execArgv, env }))
    process.exitCode = Number(argv[2] ?? 0)`
  reporting = file('reporting.mjs', script)
  typescript = file('typescript.ts', `const code: number = 5\nprocess.exit(code)`)
  waiting = file(
    'waiting.mjs',
    `setInterval(() => {}, 1_000)
    if (process.argv[2] === 'polite') process.on('SIGTERM', () => process.exit(9))
    console.log('ready')`,
  )
  orphan = file(
    'orphan.mjs',
    `setInterval(() => {}, 1_000)
    process.on('disconnect', () => process.exit())
    console.log(process.pid)`,
  )
})

test('the entry replaces the launcher process, with the process settings', async () => {
  const { code, report, pid, err } = await run([dev, reporting, '0', 'b c'])
  assert.equal(code, 0)
  assert.equal(report.pid, pid, 'no second process')
  assert.deepEqual([report.entry, report.args], [reporting, ['0', 'b c']])
  assert.ok(report.flags.includes('--max-semi-space-size=1'))
  for (const [name, value] of Object.entries(settings)) assert.equal(report.env[name], value)
  assert.equal(err, '', 'no warning')
})

test('settings of the user are not overridden', async () => {
  const { report } = await run(['--max-semi-space-size=8', dev, reporting], { TOKIO_WORKER_THREADS: '4' })
  assert.ok(!report.flags.includes('--max-semi-space-size=1'))
  assert.equal(report.env['TOKIO_WORKER_THREADS'], '4')
  assert.equal(report.env['MALLOC_ARENA_MAX'], '1')
  const inherited = await run([dev, reporting], { NODE_OPTIONS: '--max_semi_space_size=8' })
  assert.ok(!inherited.report.flags.includes('--max-semi-space-size=1'))
})

test('all settings in place: the entry runs in the launcher process', async () => {
  const flags = ['--max-semi-space-size=1', '--disable-warning=ExperimentalWarning']
  // A second start would duplicate --no-deprecation.
  const { report, pid } = await run([...flags, '--no-deprecation', dev, reporting, '0', 'b'], settings)
  assert.equal(report.pid, pid)
  assert.deepEqual(report.flags, [...flags, '--no-deprecation'])
  assert.deepEqual([report.entry, report.args], [reporting, ['0', 'b']])
})

test('without process.execve: a child runs with the same settings', async () => {
  const { code, report, pid, err } = await run([...withoutExecve, dev, reporting, '7'])
  assert.equal(code, 7, 'the exit code of the child')
  assert.notEqual(report.pid, pid)
  assert.ok(report.flags.includes('--max-semi-space-size=1'))
  for (const [name, value] of Object.entries(settings)) assert.equal(report.env[name], value)
  assert.equal(err, '')
})

test('a signal reaches the entry, and the launcher exits like the entry', async () => {
  for (const before of [[], withoutExecve]) {
    assert.deepEqual(await terminated([...before, dev, waiting, 'polite']), { code: 9, signal: null })
    assert.deepEqual(await terminated([...before, dev, waiting]), { code: null, signal: 'SIGTERM' })
  }
})

test('the launcher is killed: its child stops', async () => {
  const child = start([...withoutExecve, dev, orphan])
  assert.ok(child.stdout)
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  // The output closes when the entry has exited, too.
  await closed
  await until(() => !isAlive(pid), 2_000, 'the entry to exit')
})

test('a TypeScript entry: older Node.js versions get --experimental-strip-types', async () => {
  assert.equal((await run([dev, typescript])).code, 5)
  const old = { TRACEMESH_NO_BUNDLED_NODE: '1' }
  const flag = '--experimental-strip-types'
  const script = file('flags.ts', `console.log(JSON.stringify({ flags: process.execArgv }))`)
  for (const [version, needed] of [
    ['22.15.0', true],
    ['22.17.1', true],
    ['22.18.0', false],
    ['24.0.0', false],
  ] as const) {
    const { report } = await run([...asNode(version), dev, script], old)
    assert.equal(report.flags.includes(flag), needed, version)
  }
})

test('no supported Node.js: one line on stderr, exit code 2', async () => {
  for (const version of ['18.20.0', '20.20.2', '22.14.0']) {
    const { code, out, err } = await run([...asNode(version), bin, '--version'], { TRACEMESH_NO_BUNDLED_NODE: '1' })
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, new RegExp(`^tracemesh needs Node\\.js 22\\.15 or newer and this is ${version}: install .*\\n$`))
  }
})

test('bin.js runs the program, dev.js without a file is a usage error', async () => {
  const { code, out } = await run([bin, '--version'])
  assert.equal(code, 0)
  assert.match(out, /^\d+\.\d+\.\d+\n$/)
  assert.equal((await run([dev])).code, 2)
})

test('missingSettings: returns the settings that are unset', () => {
  assert.deepEqual(missingSettings({}, []), [
    '--max-semi-space-size=1',
    'TOKIO_WORKER_THREADS=1',
    'MALLOC_ARENA_MAX=1',
    'MALLOC_MMAP_THRESHOLD_=131072',
  ])
  assert.deepEqual(missingSettings({ ...settings, TOKIO_WORKER_THREADS: '8' }, ['--max-semi-space-size=16']), [])
  assert.deepEqual(missingSettings({ ...settings, NODE_OPTIONS: '--no-warnings --max_semi_space_size=2' }, []), [])
  assert.deepEqual({ ...processSettings.env }, settings)
})

interface ProcessReport {
  readonly pid: number
  readonly args: readonly string[]
  readonly entry: string
  readonly flags: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

function file(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

function preload(code: string): readonly string[] {
  return ['--import', `data:text/javascript,${encodeURIComponent(code)}`]
}

/** A child that inherits none of the settings under test. */
function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, args, { env: { PATH: process.env['PATH'] ?? '', ...env } })
}

async function run(args: readonly string[], env?: Record<string, string>) {
  const child = start(args, env)
  let [out, err] = ['', '']
  child.stdout?.on('data', (chunk) => {
    out += chunk
  })
  child.stderr?.on('data', (chunk) => {
    err += chunk
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const report = (out.startsWith('{') ? JSON.parse(out) : {}) as ProcessReport
  return { code, out, err, report, pid: child.pid }
}

async function terminated(args: readonly string[]) {
  const child = start(args)
  const closed = once(child, 'close')
  if (child.stdout !== null) await once(child.stdout, 'data')
  child.kill('SIGTERM')
  const [code, signal] = (await closed) as [number | null, string | null]
  return { code, signal }
}

test('missingProxyExemption: exempts loopback when Node usesProxy the proxy of the environment', () => {
  const usesProxy = { NODE_USE_ENV_PROXY: '1' }
  assert.deepEqual(missingProxyExemption({ http_proxy: 'http://proxy:1' }, []), {})
  assert.deepEqual(missingProxyExemption(usesProxy, []), { no_proxy: 'localhost,127.0.0.1,::1' })
  assert.deepEqual(missingProxyExemption({ NO_PROXY: '.example.org,::1' }, ['--use-env-proxy']), {
    no_proxy: '.example.org,::1,localhost,127.0.0.1',
  })
  assert.deepEqual(missingProxyExemption({ ...usesProxy, no_proxy: '*' }, []), {})
})
