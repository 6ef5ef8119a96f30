import { isSpanContextValid, trace } from '@opentelemetry/api'
import { type DestinationStream, type Level, type Logger, pino } from 'pino'
import type { TraceRef } from '../core/trace.ts'
import { idsOf } from './log.ts'
import { logOutput } from './log-output.ts'

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

/** JSON lines, one per event, times as ISO 8601, levels by name. */
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
    destination ?? logOutput(),
  )
}

function activeSpan(): TraceRef | undefined {
  const active = trace.getActiveSpan()?.spanContext()
  return active !== undefined && isSpanContextValid(active) ? active : undefined
}
