import { readdirSync, readlinkSync } from 'node:fs'
import { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

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

/** Counts by kind: resources that keep the event loop alive, and open file descriptors. */
export type Resources = ReadonlyMap<string, number>

/** Milliseconds between two polls. */
const pollMs = 50
/** Time to print the report before the process, which a leak would keep alive for ever, exits. */
const exitDelayMs = 1_000

/**
 * Fails the test file when a timer, socket, server, pipe, process or file outlives its tests. Call it first in every
 * test file. It ignores resources that exist before the first test, and unreferenced timers.
 */
export function leakCheck({ allow = [], graceMs = 3_000 }: LeakCheckOptions = {}): void {
  let baseline: Resources = new Map()
  before(() => {
    baseline = countResources()
  })
  after(async () => {
    const until = performance.now() + graceMs
    let leaks: readonly string[]
    // Polls after a delay: a resource that the last test is still opening is not visible yet.
    do {
      await sleep(pollMs)
      leaks = leaksBetween(baseline, countResources(), allow)
      if (leaks.length === 0) return
      collectGarbage()
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
export function leaksBetween(earlier: Resources, later: Resources, allow: readonly Exception[] = []): string[] {
  return [...later].flatMap(([what, count]) => {
    const allowance = allow.find((exception) => exception.what === what)?.upTo ?? 0
    const surplus = count - (earlier.get(what) ?? 0)
    return surplus > allowance ? [`${surplus} ${what}${allowance > 0 ? ` (${allowance} allowed)` : ''}`] : []
  })
}

export function countResources(): Resources {
  // Node creates the standard streams at their first access; they are no leak.
  void [process.stdin.fd, process.stdout.fd, process.stderr.fd]
  const counts = new Map<string, number>()
  for (const what of [...process.getActiveResourcesInfo(), ...descriptors()]) {
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  return counts
}

/** The native part of QUIC closes its sockets only when the garbage collector frees their JavaScript side. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

/** Lists the sockets of native code, which Node does not report. Only Linux has this list. */
function descriptors(): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`).replace(/:\[\d+\]$/, '')
      return target === '/dev/null' ? [] : [`fd ${target}`]
    } catch {
      // The descriptor of the directory listing itself.
      return []
    }
  })
}
