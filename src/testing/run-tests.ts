import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { proofFile, quickNames } from '../prove/proofs.ts'
import { addRecords, emptyRecord, readRecord, reportOf, type TestRecord } from './test-record.ts'

const root = resolve(import.meta.dirname, '../..')
const src = join(root, 'src')
/**
 * Real processes on real sockets disturb each other's timing: they run last, one file at a time. The tests in a browser
 * and those of Collector, Jaeger and Prometheus, which mostly wait, run beside them, also one at a time.
 */
const isReal = (file: string) => (file.endsWith('.real.test.ts') || realProofs.includes(file)) && !runsBeside(file)
const runsBeside = (file: string) =>
  file.endsWith('.browser.test.ts') || /^src\/(?:catalogue|drill|stack)\/.*\.real\.test\.ts$/.test(file)
const fileOf = (name: string) => relative(root, proofFile(name))
/** Seconds of a quick proof that runs here too; `npm run e2e` runs all quick ones. */
const maxSeconds = 12
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
  /** Runs at the same time; its output follows at its end. */
  readonly beside?: Step
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
process.once('exit', () => rmSync(records, { recursive: true }))

function stepsOf(files: readonly string[]): Step[] {
  const real = options.quick ? [] : files.filter(isReal)
  const beside = options.quick ? [] : files.filter(runsBeside)
  const rest = files.filter((file) => !isReal(file) && !runsBeside(file))
  const steps: Step[] = []
  if (!options['no-lint']) {
    steps.push({ name: 'lint', command: [tool('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'] })
    steps.push({ name: 'types', command: [tool('typescript/bin/tsc'), '--noEmit'] })
    steps.push({ name: 'types of the page', command: [tool('typescript/bin/tsc'), '--noEmit', '-p', 'src/page/app'] })
  }
  if (rest.length > 0) steps.push(testStep('tests', rest, 3))
  const ofBeside = testStep('tests in a browser and of the stack', beside, 1)
  const ofReal = testStep('tests of real processes', real, 1)
  if (real.length === 0) return beside.length === 0 ? steps : [...steps, ofBeside]
  return [...steps, beside.length === 0 ? ofReal : { ...ofReal, beside: ofBeside }]
}

function tool(path: string): string {
  return join(root, 'node_modules', path)
}

function testStep(name: string, files: readonly string[], concurrency: number): Step {
  const record = join(records, `${name}.jsonl`)
  const reporters = [
    ['spec', 'stdout'],
    [join(import.meta.dirname, 'record-reporter.ts'), record],
  ].flatMap(([reporter, to]) => [`--test-reporter=${reporter}`, `--test-reporter-destination=${to}`])
  const flags = [`--test-concurrency=${concurrency}`, `--test-timeout=${fileLimitMs}`, ...reporters]
  return { name, command: ['--test', ...flags, ...files], tests: { files, record } }
}

let running: readonly ChildProcess[] = []
let interrupted = false

async function run(
  { name, command, tests }: Step,
  write = (text: string) => void process.stdout.write(text),
): Promise<Outcome> {
  const startedAt = performance.now()
  const colour = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}
  const env = { ...process.env, ...colour, TOKIO_WORKER_THREADS: '1' }
  const child = spawn(process.execPath, command, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
  running = [...running, child]
  child.stdout.setEncoding('utf8').on('data', (text: string) => write(text))
  const ok = await new Promise<boolean>((done) => {
    child.once('error', () => done(false))
    child.once('close', (code) => done(code === 0))
  })
  running = running.filter((other) => other !== child)
  const outcome = { name, ok, seconds: ((performance.now() - startedAt) / 1_000).toFixed(1) }
  if (tests === undefined) return outcome
  const text = existsSync(tests.record) ? readFileSync(tests.record, 'utf8') : ''
  const record = readRecord(text, interrupted ? [] : tests.files, root)
  return { ...outcome, ok: ok && record.unrun.length === 0, record }
}

async function runBoth(step: Step): Promise<readonly Outcome[]> {
  const { beside } = step
  if (beside === undefined) return [await run(step)]
  let output = ''
  const other = run(beside, (text) => {
    output += text
  })
  const outcomes = await Promise.all([run(step), other])
  process.stdout.write(`\n── ${beside.name}\n${output}`)
  return outcomes
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted = true
    for (const child of running) child.kill(signal)
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
  outcomes.push(...(await runBoth(step)))
}
const summary = outcomes.map(({ name, ok, seconds }) => `${ok ? 'ok' : 'FAILED'} ${name} (${seconds} s)`)
const record = outcomes.flatMap(({ record }) => record ?? []).reduce(addRecords, emptyRecord)
process.stdout.write(`\n${summary.join(', ')}${interrupted ? ', interrupted' : ''}\n${reportOf(record)}`)
process.exitCode = interrupted ? 130 : outcomes.every(({ ok }) => ok) ? 0 : 1
