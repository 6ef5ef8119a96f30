import { setFlagsFromString } from 'node:v8'

/**
 * A node that idles calls each of its functions a few times a second. V8 optimizes one after 400 and 3,000 calls however
 * long that took, so within minutes it would compile all of them and keep the compiler's memory: about 4 MiB and 0.5 ms/s
 * of CPU for nothing. Under load ten times as many calls are reached within seconds.
 *
 * An engine that does not know the names goes on without them.
 */
export function compileLate(): void {
  setFlagsFromString('--invocation-count-for-maglev=4000')
  setFlagsFromString('--invocation-count-for-turbofan=30000')
}
