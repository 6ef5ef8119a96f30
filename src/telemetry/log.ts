import { type DestinationStream, type Level, type Logger, pino } from 'pino'
import { spans } from '../catalogue/spans.ts'
import { specOf, type Tell } from '../catalogue/tell.ts'
import type { TraceRef } from '../core/trace.ts'
import { cut } from './cut.ts'
import { logOutput } from './log-output.ts'

export interface LogOptions {
  /** `trace` `debug` `info` `warn` `error` `fatal` or `silent`. */
  readonly level: Level | 'silent'
  /** Fields of every line, such as the node’s name. */
  readonly base?: Readonly<Record<string, unknown>>
  /** Standard output unless given. */
  readonly destination?: DestinationStream
}

/** JSON lines, one per event, times as ISO 8601, levels by name. */
export function createLogger({ level, base = {}, destination = logOutput() }: LogOptions): Logger {
  return pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
}

/** The line that goes with a told span: its name, what it carries, and the ids under which a trace store finds it. */
export function logTell(logger: Logger, effect: Tell, ids: TraceRef): void {
  const { log } = specOf(spans, effect.span)
  if (!logger.isLevelEnabled(log)) return
  logger[log]({ trace_id: ids.traceId, span_id: ids.spanId, ...cut(effect.attributes) }, effect.span)
}
