import { writeSync } from 'node:fs'
import type { DestinationStream } from 'pino'

export interface LogOutputOptions {
  /** File descriptor; 1 unless given. */
  readonly fd?: number
  readonly write?: (fd: number, bytes: Uint8Array) => number
}

/**
 * Log lines to standard output, each at once, so that none is lost in a crash. A reader that is gone or too slow costs
 * lines and nothing else: pino’s own destination waits for it at exit without end (sonic-boom 4.2.1, `flushSync`).
 */
export function logOutput({ fd = 1, write = writeSync }: LogOutputOptions = {}): DestinationStream {
  let rest: Uint8Array = new Uint8Array(0)
  let dropped = 0
  let closed = false
  const send = (bytes: Uint8Array): void => {
    try {
      rest = bytes
      while (rest.length > 0) rest = rest.subarray(write(fd, rest))
    } catch (error) {
      closed = code(error) !== 'EAGAIN'
    }
  }
  return {
    write(line) {
      if (closed) return
      // What was begun has to be ended first, or two lines would become one.
      if (rest.length > 0) send(rest)
      if (rest.length > 0) {
        dropped++
        return
      }
      if (dropped > 0) {
        const count = dropped
        dropped = 0
        send(Buffer.from(`{"level":"warn","msg":"${count} log lines were dropped: standard output was not read"}\n`))
      }
      if (rest.length === 0) send(Buffer.from(line))
      else dropped++
    },
  }
}

function code(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
