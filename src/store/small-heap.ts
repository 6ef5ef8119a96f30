import { setFlagsFromString } from 'node:v8'

/**
 * Has V8 collect garbage when the heap has grown by a third, where it would let it grow to a multiple: nearly all that
 * an export allocates is garbage at once, and a store that takes 6,000 spans a second held 50 MiB of it.
 *
 * An engine that does not know the name says so on stderr and goes on without it.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=33')
}
