import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { descriptorTargets } from './descriptors.ts'

/** Counts by kind: what keeps the event loop alive (`Timeout`, `TCPSocketWrap`), and open descriptors (`fd socket`). */
export type Handles = ReadonlyMap<string, number>

export function countHandles(): Handles {
  // Node creates the standard streams at their first access.
  void [process.stdin.fd, process.stdout.fd, process.stderr.fd]
  const counts = new Map<string, number>()
  for (const kind of [...process.getActiveResourcesInfo(), ...descriptors()])
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** Kinds of which there are more than before, each with the number: `Timeout (2)`. */
export function surplus(before: Handles, now: Handles): readonly string[] {
  return [...now].flatMap(([kind, count]) => {
    const more = count - (before.get(kind) ?? 0)
    return more > 0 ? [`${kind} (${more})`] : []
  })
}

/**
 * Collects garbage: the native part of QUIC closes its sockets only when the collector frees their JavaScript side. Takes
 * some 50 ms.
 */
export function releaseNativeSockets(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

/** Lists the descriptors by kind: sockets of native code are in no other list. Only Linux has it. */
function descriptors(): string[] {
  const targets = (descriptorTargets() ?? []).filter((target) => target !== '/dev/null')
  return targets.map((target) => `fd ${target.replace(/:\[\d+\]$/, '')}`)
}
