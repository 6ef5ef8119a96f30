import { writeSync } from 'node:fs'
import { isSpanContextValid, trace } from '@opentelemetry/api'
import { type DestinationStream, type Level, type Logger, pino } from 'pino'
import type { TraceRef } from '../core/trace.ts'
import { idsOf } from './log.ts'
import { terminalLog } from './terminal-log.ts'

export interface LogOptions {
  /** `trace` `debug` `info` `warn` `error` `fatal` or `silent`. */
  readonly level: Level | 'silent'
  /** Fields of every line, such as the node’s name. */
  readonly base?: Readonly<Record<string, unknown>>
  /** Trace context of lines without ids, when no OpenTelemetry span is active. */
  readonly context?: () => TraceRef | undefined
  /** Default: standard output. */
  readonly destination?: DestinationStream
}

/** JSON lines, one per event, times as ISO 8601, levels by name; text at a terminal. */
export function createLogger({ level, base = {}, context = () => undefined, destination }: LogOptions): Logger {
  return pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Ids in the line itself win.
      mixin: () => idsOf(activeSpan() ?? context()),
    },
    destination ?? (process.stdout.isTTY ? terminalLog(logOutput()) : logOutput()),
  )
}

function activeSpan(): TraceRef | undefined {
  const active = trace.getActiveSpan()?.spanContext()
  return active !== undefined && isSpanContextValid(active) ? active : undefined
}

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
