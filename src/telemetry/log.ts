import type { Logger } from 'pino'
import { type SpanEffect, specOf } from '../catalogue/span-effect.ts'
import { spans } from '../catalogue/spans.ts'
import type { TraceRef } from '../core/trace.ts'
import { truncateAttributes } from './truncate.ts'

/** The part of a pino logger that the mesh uses; types only, so that only applications that use pino load it. */
export type MeshLogger = Pick<Logger, 'isLevelEnabled' | 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>

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
  const { log } = specOf(spans, effect.span)
  if (!logger.isLevelEnabled(log)) return
  logger[log]({ ...idsOf(ids), ...truncateAttributes(effect.attributes) }, effect.span)
}
