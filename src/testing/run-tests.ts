import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { proofFile, quickNames } from '../prove/proofs.ts'
import { addRecords, emptyRecord, readRecord, reportOf, type TestRecord } from './test-record.ts'

const root = resolve(import.meta.dirname, '../..')
const src = join(root, 'src')
/** Tests with real processes, with a browser, or with Collector, Jaeger and Prometheus. They mostly wait. */
const isReal = (file: string) => /\.(?:real|browser)\.test\.ts$/.test(file) || realProofs.includes(file)
/** Test files that run at a time. */
const concurrency = 3
const fileOf = (name: string) => relative(root, proofFile(name))
/** Seconds of a quick proof that runs here too; `npm run e2e` runs all quick ones. */
const maxSeconds = 8
/** The virtual ones run with the unit tests. */
const realProofs = quickNames({ virtual: false, maxSeconds }).map(fileOf)
const virtualProofs = quickNames({ virtual: true, maxSeconds }).map(fileOf)
/** Milliseconds for one test file, after which the runner fails it: the guard against a file that hangs. */
const fileLimitMs = 300_000

interface Step {
  readonly name: string
  readonly command: readonly string[]
  /** A run of tests, which records its outcomes. */
  readonly tests?: { readonly files: readonly string[]; readonly record: string }
}

interface Outcome {
  readonly name: string
  readonly ok: boolean
  readonly seconds: string
  readonly record?: TestRecord
}

const { values: options, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    'no-lint': { type: 'boolean', default: false },
    /** Runs the tests of this directory in place of `src`: the runner's own test. */
    in: { type: 'string', default: src },
  },
})

/** The test runs of this process write their records here. */
const records = mkdtempSync(join(tmpdir(), 'test-records-'))
/** Each test file is a process: with a cache they compile a module once between them, which saves half a second each. */
const compileCache = join(records, 'compiled')
process.once('exit', () => rmSync(records, { recursive: true }))

function stepsOf(files: readonly string[]): Step[] {
  const steps: Step[] = []
  if (!options['no-lint']) {
    steps.push({ name: 'lint', command: [tool('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'] })
    steps.push({ name: 'types', command: [tool('typescript/bin/tsc'), '--noEmit'] })
    steps.push({ name: 'types of the page', command: [tool('typescript/bin/tsc'), '--noEmit', '-p', 'src/page/app'] })
  }
  const real = options.quick ? [] : files.filter(isReal)
  const unit = files.filter((file) => !isReal(file))
  if (unit.length > 0) steps.push(testStep('tests', unit))
  if (real.length > 0) steps.push(testStep('tests of real processes', real))
  return steps
}

function tool(path: string): string {
  return join(root, 'node_modules', path)
}

function testStep(name: string, files: readonly string[]): Step {
  const record = join(records, `${name}.jsonl`)
  const reporters = [
    ['spec', 'stdout'],
    [join(import.meta.dirname, 'test-record.ts'), record],
  ].flatMap(([reporter, to]) => [`--test-reporter=${reporter}`, `--test-reporter-destination=${to}`])
  const flags = [`--test-concurrency=${concurrency}`, `--test-timeout=${fileLimitMs}`, ...reporters]
  return { name, command: ['--test', ...flags, ...files], tests: { files, record } }
}

let running: ChildProcess | undefined
let interrupted = false

async function run({ name, command, tests }: Step): Promise<Outcome> {
  const startedAt = performance.now()
  const env = { ...process.env, TOKIO_WORKER_THREADS: '1', NODE_COMPILE_CACHE: compileCache }
  running = spawn(process.execPath, command, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = (await once(running, 'close')) as [number | null]
  const ok = code === 0
  const outcome = { name, ok, seconds: ((performance.now() - startedAt) / 1_000).toFixed(1) }
  if (tests === undefined) return outcome
  const text = existsSync(tests.record) ? readFileSync(tests.record, 'utf8') : ''
  const record = readRecord(text, interrupted ? [] : tests.files, root)
  return { ...outcome, ok: ok && record.unrun.length === 0, record }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted = true
    running?.kill(signal)
  })
}

const testFiles = globSync('**/*.test.ts', { cwd: options.in }).map((file) => relative(root, join(options.in, file)))
const files = [...testFiles, ...(options.in === src ? [...realProofs, ...virtualProofs] : [])]
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort()
const steps = stepsOf(files)
if (!steps.some(({ tests }) => tests !== undefined)) {
  process.stderr.write(`no test file matches ${filters.join(' ')}\n`)
  process.exit(2)
}

const outcomes: Outcome[] = []
for (const step of steps) {
  if (interrupted) break
  if (steps.length > 1) process.stdout.write(`\n── ${step.name}\n`)
  outcomes.push(await run(step))
}
const summary = outcomes.map(({ name, ok, seconds }) => `${ok ? 'ok' : 'FAILED'} ${name} (${seconds} s)`)
const record = outcomes.flatMap(({ record }) => record ?? []).reduce(addRecords, emptyRecord)
process.stdout.write(`\n${summary.join(', ')}${interrupted ? ', interrupted' : ''}\n${reportOf(record)}`)
process.exitCode = interrupted ? 130 : outcomes.every(({ ok }) => ok) ? 0 : 1
