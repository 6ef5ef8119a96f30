import { setFlagsFromString } from 'node:v8'

/** What `calmEngine` sets, as flags of Node.js. */
export const v8Flags = [
  '--invocation-count-for-maglev=4000',
  '--invocation-count-for-turbofan=30000',
  '--gc-memory-reducer-start-delay-ms=600000',
] as const

/**
 * Keeps V8 from working on a node that idles.
 *
 * - It optimizes a function after 400 and 3,000 calls, however long those took. A node that idles gets there within
 *   minutes for most of what it does, and would pay for compiling and keep the compiler's memory, about 4 MiB. Under load
 *   ten times as many calls are reached within seconds.
 * - It looks for memory to give back by a whole collection every 108 s when little happens: about 0.1 s of CPU for a heap
 *   that has nothing to give. Once in ten minutes is enough; one that grows is collected when it has grown.
 *
 * An engine that does not know the names says so on stderr and goes on without them.
 */
export function tuneV8(): void {
  for (const flag of v8Flags) setFlagsFromString(flag)
}
