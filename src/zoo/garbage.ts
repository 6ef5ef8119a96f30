const garbageBytes = 2 * 1_048_576

/**
 * Garbage as a busy application makes it, so that V8 collects every few seconds: what stays in the heap shows only after
 * a major collection.
 */
export function makeGarbage(): void {
  Buffer.alloc(garbageBytes, 1)
}
