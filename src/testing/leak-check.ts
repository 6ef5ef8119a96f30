import { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { countHandles, type Handles, releaseNativeSockets } from '../evidence/process-handles.ts'

/** A resource that may outlive the tests of a file, and why that cannot be avoided. */
export interface Exception {
  /** Its kind, as the failure prints it: `Timeout`, `TCPSocketWrap`, `fd socket` … */
  readonly what: string
  readonly upTo: number
  readonly reason: string
}

export interface LeakCheckOptions {
  readonly allow?: readonly Exception[]
  /** Milliseconds after the last test within which resources must be closed. */
  readonly graceMs?: number
}

/** Milliseconds between two polls. */
const pollMs = 50
/** Time to print the report before the process, which a leak would keep alive for ever, exits. */
const exitDelayMs = 1_000

/**
 * Fails the test file when a timer, socket, server, pipe, process or file outlives its tests. Call it first in every
 * test file. It ignores resources that exist before the first test, and unreferenced timers.
 */
export function leakCheck({ allow = [], graceMs = 3_000 }: LeakCheckOptions = {}): void {
  let baseline: Handles = new Map()
  before(() => {
    baseline = countHandles()
  })
  after(async () => {
    const until = performance.now() + graceMs
    let leaks: readonly string[]
    // Polls after a delay: a resource that the last test is still opening is not visible yet.
    do {
      await sleep(pollMs)
      leaks = leaksBetween(baseline, countHandles(), allow)
      if (leaks.length === 0) return
      releaseNativeSockets()
    } while (performance.now() < until)
    // A file that runs alone exits with 0 even if its hook fails.
    process.exitCode = 1
    const message = `outlived its tests by ${graceMs} ms: ${leaks.join(', ')}`
    setTimeout(() => {
      process.stderr.write(`${message}\n`)
      process.exit(1)
    }, exitDelayMs).unref()
    throw new Error(message)
  })
}

/** Kinds that grew by more than `allow` permits, as text. */
export function leaksBetween(earlier: Handles, later: Handles, allow: readonly Exception[] = []): string[] {
  return [...later].flatMap(([what, count]) => {
    const allowance = allow.find((exception) => exception.what === what)?.upTo ?? 0
    const surplus = count - (earlier.get(what) ?? 0)
    return surplus > allowance ? [`${surplus} ${what}${allowance > 0 ? ` (${allowance} allowed)` : ''}`] : []
  })
}
