import { writeSync } from 'node:fs'
import type { DestinationStream } from 'pino'

export interface LogOutputOptions {
  /** File descriptor; default 1. */
  readonly fd?: number
  readonly write?: (fd: number, bytes: Uint8Array) => number
}

/**
 * Writes log lines to standard output synchronously, so that a crash loses none. A reader that left or is too slow
 * costs lines and nothing else: pino’s own destination waits for it forever at exit (sonic-boom 4.2.1, `flushSync`).
 */
export function logOutput({ fd = 1, write = writeSync }: LogOutputOptions = {}): DestinationStream {
  let unwritten: Uint8Array = new Uint8Array(0)
  let dropped = 0
  let isClosed = false
  const send = (bytes: Uint8Array): void => {
    try {
      unwritten = bytes
      while (unwritten.length > 0) unwritten = unwritten.subarray(write(fd, unwritten))
    } catch (error) {
      isClosed = codeOf(error) !== 'EAGAIN'
    }
  }
  return {
    write(line) {
      if (isClosed) return
      // Finish a half-written line first, or two lines would become one.
      if (unwritten.length > 0) send(unwritten)
      if (unwritten.length > 0) {
        dropped++
        return
      }
      if (dropped > 0) {
        const count = dropped
        dropped = 0
        send(Buffer.from(`{"level":"warn","msg":"${count} log lines dropped: nothing reads standard output"}\n`))
      }
      if (unwritten.length === 0) send(Buffer.from(line))
      else dropped++
    },
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
