import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { exitCodes, terminal } from '../commands/command.ts'
import { textList } from '../commands/text-list.ts'
import { seedFromEnv } from '../testing/random.ts'
import { jsonVariable } from './figures-reporter.ts'
import { loadProof, proofFile, proofNames, quickNames } from './proofs.ts'

const usage = `usage: npm run prove -- list | all | quick | NAME [NAME...] [--json]

Runs proofs and prints their checks and figures; with --json standard output has only the answers, one a line.
SEED=<number> replays a run. Exit codes: 0 all hold, 1 one fails, 2 usage error, 3 one is not shown.
`
/** Exit code of a proof after SIGINT or SIGTERM. */
const interruptedCode = 130
const reporter = new URL('./figures-reporter.ts', import.meta.url).href

let running: ChildProcess | undefined
let isInterrupted = false
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    isInterrupted = true
    running?.kill(signal)
  })

process.exitCode = await main()

async function main(): Promise<number> {
  const options = readOptions()
  if (options === undefined) return exitCodes.usage
  if (options.list) return list(options.json)
  const codes: unknown[] = []
  for (const name of options.names) {
    codes.push(await run(name, options))
    if (isInterrupted || codes.includes(interruptedCode)) return interruptedCode
  }
  if (codes.some((code) => code !== exitCodes.ok && code !== exitCodes.inconclusive)) return exitCodes.failure
  return codes.includes(exitCodes.inconclusive) ? exitCodes.inconclusive : exitCodes.ok
}

/** Runs the file of a proof as a test, in its own process; resolves with its exit code. */
async function run(name: string, { json, seed }: { readonly json: boolean; readonly seed: number }): Promise<unknown> {
  // NODE_TEST_CONTEXT of a test that runs this command would replace the reporter.
  const env = { ...process.env, SEED: `${seed}`, [jsonVariable]: json ? '1' : '', NODE_TEST_CONTEXT: undefined }
  running = spawn(process.execPath, [`--test-reporter=${reporter}`, proofFile(name)], { env, stdio: 'inherit' })
  const [code] = await once(running, 'close')
  return code
}

/** Undefined, with a message, for a usage error. */
function readOptions(): { names: readonly string[]; list: boolean; json: boolean; seed: number } | undefined {
  try {
    const options = { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' } } as const
    const { values, positionals } = parseArgs({ allowPositionals: true, options })
    const unknown = positionals.filter((name) => ![...proofNames(), 'list', 'all', 'quick'].includes(name))
    if (unknown.length > 0) throw new Error(`unknown proof ${unknown.join(', ')}; \`list\` prints all names`)
    if (positionals.length === 0 || values.help) throw new Error('')
    const names = positionals.flatMap((name) =>
      name === 'all' ? proofNames() : name === 'quick' ? quickNames() : name,
    )
    return { names: [...new Set(names)], list: positionals.includes('list'), json: values.json, seed: seedFromEnv() }
  } catch (error) {
    const message = error instanceof Error && error.message !== '' ? `${error.message}\n` : ''
    process.stderr.write(`${message}${usage}`)
    return undefined
  }
}

async function list(json: boolean): Promise<number> {
  const proofs = await Promise.all(proofNames().map(loadProof))
  const rows = proofs.map(({ name, about, quick, seconds }) => {
    return [[name.padEnd(24), `${seconds} s`.padStart(7), quick ? 'quick' : '     '].join(' '), about] as const
  })
  const lines = proofs.map(({ name, about, quick, seconds }) => `${JSON.stringify({ name, about, quick, seconds })}\n`)
  terminal.out(json ? lines.join('') : textList(rows, terminal.columns, 'proofs'))
  return exitCodes.ok
}
