import { type SpanEffect, specOf } from '../catalogue/span-effect.ts'
import { spans } from '../catalogue/spans.ts'
import type { TraceRef } from '../core/trace.ts'
import { isRoutine } from './sampling.ts'
import { truncateAttributes } from './span-emitter.ts'

/** Writes a line: its fields and its message, or only a message. */
export interface LogLine {
  (fields: object, message?: string): void
  (message: string): void
}

/** A method per level, as a pino logger has them. */
export interface MeshLogger {
  /** Whether a line of this level would be written: the mesh then builds it. */
  isLevelEnabled(level: string): boolean
  readonly trace: LogLine
  readonly debug: LogLine
  readonly info: LogLine
  readonly warn: LogLine
  readonly error: LogLine
  readonly fatal: LogLine
}

const noop = () => {}

export const silentLogger: MeshLogger = {
  isLevelEnabled: () => false,
  trace: noop,
  debug: noop,
  info: noop,
  warn: noop,
  error: noop,
  fatal: noop,
}

/** Log fields that link a line to its trace; empty without a reference. */
export function idsOf(ref: TraceRef | undefined): { trace_id?: string; span_id?: string } {
  return ref === undefined ? {} : { trace_id: ref.traceId, span_id: ref.spanId }
}

/** Logs an emitted span: its name, attributes and ids. */
export function logSpan(logger: MeshLogger, effect: SpanEffect, ids: TraceRef): void {
  const { log, routineLog = log } = specOf(spans, effect.span)
  const level = isRoutine(effect) ? routineLog : log
  if (!logger.isLevelEnabled(level)) return
  logger[level]({ ...idsOf(ids), ...truncateAttributes(effect.attributes) }, effect.span)
}
