import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { seededRandom } from '../testing/random.ts'
import { type Check, type Proof, type ProofContext, round, type Verdict, verdictOf } from './proof.ts'

/** What a run of a proof says, for programs to read. */
export interface Answer {
  readonly name: string
  readonly about: string
  readonly verdict: Verdict
  /** With `-dirty` when files differ from it; `unknown` outside a clone. */
  readonly commit: string
  readonly seed: number
  readonly node: string
  readonly cores: number
  /** ISO 8601, when it began. */
  readonly at: string
  readonly seconds: number
  readonly checks: readonly Check[]
  readonly figures: Readonly<Record<string, unknown>>
}

/** Runs a proof to its answer. What it throws is an answer too: what could not be done does not hold. */
export async function answerOf(
  proof: Proof,
  seed: number,
  shown: Pick<ProofContext, 'progress' | 'signal'>,
): Promise<Answer> {
  const at = new Date().toISOString()
  const began = performance.now()
  const { figures, checks } = await proof
    .run({ ...shown, seed, random: seededRandom(seed) })
    .catch((error: unknown) => ({
      figures: { error: describe(error) },
      checks: [{ what: 'the proof ran to its end', want: 'no error', got: firstLine(error), holds: false }],
    }))
  return {
    name: proof.name,
    about: proof.about,
    verdict: verdictOf(checks),
    commit: commit(),
    seed,
    node: process.version,
    cores: availableParallelism(),
    at,
    seconds: round((performance.now() - began) / 1_000),
    checks,
    figures,
  }
}

/** For people: each check on a line, the verdict last. */
export function readable({ name, about, checks, verdict, seconds, seed }: Answer): string {
  const marks = { true: 'ok ', false: 'NOT', 'not shown': '?  ' }
  const lines = checks.map(({ what, want, got, holds }) => `  ${marks[`${holds}`]} ${what}: ${got} (want ${want})`)
  return [`${name}: ${about}`, ...lines, `${name} ${verdict} after ${seconds.toFixed(1)} s (seed ${seed})`, ''].join(
    '\n',
  )
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
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}
