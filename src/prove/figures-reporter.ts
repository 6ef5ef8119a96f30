import { execFileSync } from 'node:child_process'
import { availableParallelism, loadavg } from 'node:os'
import type { TestEvent } from 'node:test/reporters'
import { exitCodes, terminal } from '../commands/command.ts'
import { hang } from '../commands/text-list.ts'
import { errorMessage } from '../core/errors.ts'
import { figureLines } from './figure-lines.ts'
import { figuresPrefix, type ProofResult, round } from './proof.ts'

/** Leaves standard output to the answer on one line. */
export const jsonVariable = 'TRACEMESH_PROVE_JSON'

/** The result of a proof, for programs. */
interface Answer extends ProofResult {
  readonly name: string
  readonly about: string
  readonly verdict: 'holds' | 'fails' | 'not shown'
  /** With `-dirty` when files differ from it; `unknown` outside a clone. */
  readonly commit: string
  readonly seed: number
  readonly node: string
  readonly cores: number
  /** Load averages of 1, 5 and 15 minutes at the end: figures of time and CPU depend on them. */
  readonly load: readonly number[]
  /** Start of the process, ISO 8601. */
  readonly at: string
  readonly seconds: number
}

/** Reporter of node:test for the file of one proof: each check and each figure on a line, and the verdict; or all of it as JSON. */
export default async function* figuresReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let answer = begin()
  const lines: string[] = []
  const verdicts = new Set<Answer['verdict']>()
  for await (const { type, data } of events) {
    if (type === 'test:diagnostic') answer = { ...answer, ...read(data.message) }
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const verdict = type === 'test:fail' ? 'fails' : data.skip === undefined ? 'holds' : 'not shown'
    if (data.nesting > 0) lines.push(`  ${marks[verdict]} ${data.name}`)
    else answer = { ...answer, ...titleOf(data.name), seconds: round(data.details.duration_ms / 1_000) }
    // A proof that only has failed checks has the error of node:test about these.
    if (data.nesting === 0 && type === 'test:fail' && !verdicts.has('fails')) {
      const error = data.details.error.cause ?? data.details.error
      const check = { what: 'the proof ran to its end', want: 'no error', got: firstLine(error), holds: false }
      answer = { ...answer, figures: { error: describe(error) }, checks: [check] }
      lines.push(`  ${marks.fails} ${check.what}: ${check.got} (want ${check.want})`)
    }
    verdicts.add(verdict)
  }
  const verdict = verdicts.has('fails')
    ? 'fails'
    : verdicts.has('not shown') || verdicts.size === 0
      ? 'not shown'
      : 'holds'
  if (verdict === 'not shown') process.exitCode ??= exitCodes.inconclusive
  answer = { ...answer, verdict, load: loadavg().map(round) }
  if (process.env[jsonVariable] === '1') return yield `${JSON.stringify(answer)}\n`
  const { name, about, seconds, seed, figures, commit, node, cores, load } = answer
  const last = `${name} ${verdict} after ${seconds.toFixed(1)} s (seed ${seed})`
  const machine = `commit ${commit}, Node.js ${node}, ${cores} cores, load ${load.join(' ')}`
  const { columns } = terminal
  const checks = lines.flatMap((line) => hang(line.slice(0, 6), line.slice(6), columns))
  yield [...hang('', `${name}: ${about}`, columns), ...checks, ...figureLines(figures), machine, last, ''].join('\n')
}

const marks = { holds: 'ok ', fails: 'NOT', 'not shown': '?  ' } as const

function begin(): Answer {
  return {
    ...{ name: '', about: '', verdict: 'not shown', commit: commit(), seed: Number.NaN, node: process.version },
    ...{ cores: availableParallelism(), load: [], at: new Date(performance.timeOrigin).toISOString(), seconds: 0 },
    ...{ checks: [], figures: {} },
  }
}

/** Seed, or figures and checks, of a diagnostic of `endToEnd`. */
function read(message: string): Partial<Answer> {
  if (message.startsWith(figuresPrefix)) return JSON.parse(message.slice(figuresPrefix.length)) as ProofResult
  const seed = /^seed (\d+):/.exec(message)?.[1]
  return seed === undefined ? {} : { seed: Number(seed) }
}

function titleOf(title: string): Pick<Answer, 'name' | 'about'> {
  const [name = '', ...about] = title.split(': ')
  return { name, about: about.join(': ') }
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  try {
    return `${git('rev-parse', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '-dirty'}`
  } catch {
    return 'unknown'
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by ${describe(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}

function firstLine(error: unknown): string {
  return errorMessage(error).split('\n')[0] ?? ''
}
