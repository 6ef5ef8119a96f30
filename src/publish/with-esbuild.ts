import { stop } from 'esbuild'

let running = 0

/**
 * Runs `build`, and ends esbuild's service once no build of this process needs it any more: it would keep the process,
 * and whoever ended it after a build of its own would break that of another.
 */
export async function withEsbuild<T>(build: () => Promise<T>): Promise<T> {
  running += 1
  try {
    return await build()
  } finally {
    running -= 1
    if (running === 0) await stop()
  }
}
