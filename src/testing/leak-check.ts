import { readdirSync, readlinkSync } from 'node:fs'
import { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Something that may outlive the tests of a file, and why nobody can help it. */
export interface Exception {
  /** As the failure names it: `Timeout`, `TCPSocketWrap`, `fd socket` … */
  readonly what: string
  readonly upTo: number
  readonly reason: string
}

export interface LeakCheckOptions {
  readonly allow?: readonly Exception[]
  /** Milliseconds that closing may still take once the last test has ended. */
  readonly graceMs?: number
}

/** Resources by kind: what keeps the event loop alive, and open file descriptors. */
export type Held = ReadonlyMap<string, number>

/** Between two looks while waiting, in milliseconds. */
const lookEveryMs = 50
/** For the report to leave before a process that a leak would hold for ever is ended. */
const lastWordsMs = 1_000

/**
 * Fails the test file when a timer, socket, server, pipe, process or file outlives its tests. Call it first in every
 * test file. What is there when the first test begins is not counted, nor are unreferenced timers.
 */
export function leakCheck({ allow = [], graceMs = 3_000 }: LeakCheckOptions = {}): void {
  let atFirst: Held = new Map()
  before(() => {
    atFirst = held()
  })
  after(async () => {
    const until = performance.now() + graceMs
    let leaks: readonly string[]
    // Never at once: what the last test has only just begun to open does not show yet.
    do {
      await sleep(lookEveryMs)
      leaks = leaksBetween(atFirst, held(), allow)
      if (leaks.length === 0) return
      collectGarbage()
    } while (performance.now() < until)
    // Run alone, a file whose hook failed would still end with 0.
    process.exitCode = 1
    const message = `outlived its tests by ${graceMs} ms: ${leaks.join(', ')}`
    setTimeout(() => {
      process.stderr.write(`${message}\n`)
      process.exit(1)
    }, lastWordsMs).unref()
    throw new Error(message)
  })
}

/** What there is more of than before and than is allowed, as text. */
export function leaksBetween(earlier: Held, later: Held, allow: readonly Exception[] = []): string[] {
  return [...later].flatMap(([what, count]) => {
    const excused = allow.find((exception) => exception.what === what)?.upTo ?? 0
    const surplus = count - (earlier.get(what) ?? 0)
    return surplus > excused ? [`${surplus} ${what}${excused > 0 ? ` (${excused} allowed)` : ''}`] : []
  })
}

export function held(): Held {
  // Standard streams come into being when they are first looked at; they are no leak.
  void [process.stdin.fd, process.stdout.fd, process.stderr.fd]
  const counts = new Map<string, number>()
  for (const what of [...process.getActiveResourcesInfo(), ...descriptors()]) {
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  return counts
}

/** The native part of QUIC lets go of its sockets only when their JavaScript side is collected. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

/** Native code's sockets are seen only here: Node does not know of them. Linux alone has this list. */
function descriptors(): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`).replace(/:\[\d+\]$/, '')
      return target === '/dev/null' ? [] : [`fd ${target}`]
    } catch {
      // The descriptor by which the list itself was read.
      return []
    }
  })
}
