import { parseArgs } from 'node:util'
import { exitCodes } from '../commands/exit-codes.ts'
import { seedFromEnv } from '../testing/random.ts'
import { answerOf, readable } from './answer.ts'
import type { Verdict } from './proof.ts'
import { loadProof, proofNames } from './proofs.ts'

const usage = `usage: npm run prove -- list | all | NAME [NAME...] [--json]

Runs proofs and says what they show, for people and as JSON; --json leaves standard output to the JSON alone, one
answer a line. SEED=<number> replays a run. Exit codes: 0 all hold, 1 one fails, 2 used wrongly, 3 one is not shown.
`
/** Interrupted, a proof may take this long to end what it started; what is left then is killed. Milliseconds. */
const unwindMs = 1_000

const { out, err } = {
  out: (text: string) => void process.stdout.write(text),
  err: (text: string) => void process.stderr.write(text),
}
const abort = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt)

process.exitCode = await main()

async function main(): Promise<number> {
  const asked = read()
  if (asked === undefined) return exitCodes.usage
  if (asked.list) return list(asked.json)
  const verdicts: Verdict[] = []
  for (const name of asked.names) {
    if (abort.signal.aborted) break
    const proof = await loadProof(name)
    err(`${name}: ${proof.about}; about ${proof.seconds} s\n`)
    const progress = (text: string) => err(`${name}: ${text}\n`)
    const answer = await answerOf(proof, asked.seed, { progress, signal: abort.signal })
    verdicts.push(answer.verdict)
    out(asked.json ? `${JSON.stringify(answer)}\n` : `${readable(answer)}${JSON.stringify(answer, null, 2)}\n`)
  }
  if (abort.signal.aborted) return 130
  if (verdicts.includes('fails')) return exitCodes.failure
  return verdicts.includes('not shown') ? exitCodes.inconclusive : exitCodes.ok
}

/** Undefined, and said why, when the command line is wrong. */
function read(): { names: readonly string[]; list: boolean; json: boolean; seed: number } | undefined {
  try {
    const options = { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' } } as const
    const { values, positionals } = parseArgs({ allowPositionals: true, options })
    const known = proofNames()
    const unknown = positionals.filter((name) => ![...known, 'list', 'all'].includes(name))
    if (unknown.length > 0) throw new Error(`there is no proof ${unknown.join(', ')}; \`list\` names them`)
    if (positionals.length === 0 || values.help) throw new Error('')
    const names = positionals.includes('all') ? known : positionals
    return { names, list: positionals.includes('list'), json: values.json, seed: seedFromEnv() }
  } catch (error) {
    err(`${error instanceof Error && error.message !== '' ? `${error.message}\n` : ''}${usage}`)
    return undefined
  }
}

async function list(json: boolean): Promise<number> {
  for (const name of proofNames()) {
    const { about, quick, seconds } = await loadProof(name)
    if (json) out(`${JSON.stringify({ name, about, quick, seconds })}\n`)
    else out(`${name.padEnd(24)} ${`${seconds} s`.padStart(7)} ${quick ? 'quick' : '     '}  ${about}\n`)
  }
  return exitCodes.ok
}

/** Processes that are left when this one ends are killed by whoever started them. */
function interrupt(signal: NodeJS.Signals): void {
  if (abort.signal.aborted) return
  err(`${signal}: ending what was started\n`)
  abort.abort(new Error('interrupted'))
  setTimeout(() => process.exit(130), unwindMs).unref()
}
