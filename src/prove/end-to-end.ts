import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { type TestContext, test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { announceSeed, seededRandom } from '../testing/random.ts'
import { collectNative } from '../testing/suite/real-world.ts'
import { type Check, figuresPrefix, type Proof, suffix } from './proof.ts'

/**
 * After an interrupt a proof may take this long to end its processes, whose watchdogs end the others, and to remove its
 * directories, of which a clone with its packages takes longest. Milliseconds.
 */
const unwindMs = 5_000

/** Registers the proof as a test when its own file runs; for another module that imports it, only returns it. */
export function endToEnd(proof: Proof): Proof {
  if (basename(process.argv[1] ?? '') === `${proof.name}${suffix}`) register(proof)
  return proof
}

function register({ name, about, quick, seconds, run }: Proof): void {
  // `npm test` runs quick ones with other tests. QUIC's native part is no leak.
  if (quick) {
    collectNative()
    leakCheck()
  }
  const interrupted = interruptSignal()
  const say = (text: string) => void process.stderr.write(`${name}: ${text}\n`)
  // Guess: three times its usual duration, and two minutes.
  test(`${name}: ${about}`, { timeout: (3 * seconds + 120) * 1_000 }, async (t) => {
    say(`${about}; about ${seconds} s`)
    const seed = announceSeed(t)
    const signal = AbortSignal.any([t.signal, interrupted])
    const { figures, checks } = await run({ seed, random: seededRandom(seed), progress: say, signal })
    t.diagnostic(`${figuresPrefix}${JSON.stringify({ figures, checks })}`)
    await testChecks(t, checks)
  })
}

/** Runs each check as a subtest, so that a failure hides no other; a check that is not shown is skipped. */
export async function testChecks(t: TestContext, checks: readonly Check[]): Promise<void> {
  if (checks.length === 0) t.skip('no checks')
  for (const { what, want, got, holds } of checks) {
    const skip = holds === 'not shown' && `not shown: ${got}`
    await t.test(`${what}: ${got} (want ${want})`, { skip }, () => assert.ok(holds, `${what}: ${got} (want ${want})`))
  }
}

/** Aborts on SIGINT and SIGTERM. The process then exits with 130, after `unwindMs` at the latest. */
function interruptSignal(): AbortSignal {
  const abort = new AbortController()
  const interrupt = (signal: NodeJS.Signals) => {
    if (abort.signal.aborted) return
    process.stderr.write(`${signal}: ending what was started\n`)
    process.once('exit', () => {
      process.exitCode = 130
    })
    abort.abort(new Error('interrupted'))
    setTimeout(() => process.exit(), unwindMs).unref()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt)
  return abort.signal
}
