import { stop } from 'esbuild'

let running = 0

/**
 * Runs `build`, and stops esbuild's service after the last concurrent build of this process. A running service would
 * keep the process alive, and stopping it after each build would break a concurrent build.
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
