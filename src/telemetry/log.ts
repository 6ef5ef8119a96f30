import type { Logger } from 'pino'
import { type SpanEffect, specOf } from '../catalogue/span-effect.ts'
import { spans } from '../catalogue/spans.ts'
import type { TraceRef } from '../core/trace.ts'
import { cut } from './cut.ts'

/** What the mesh uses of a pino logger; types only, so that pino is loaded by those alone who log with it. */
export type MeshLogger = Pick<Logger, 'isLevelEnabled' | 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>

const nothing = () => {}

export const silentLogger: MeshLogger = {
  isLevelEnabled: () => false,
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
}

/** The fields under which a trace store finds it; none for nothing. */
export function idsOf(ref: TraceRef | undefined): { trace_id?: string; span_id?: string } {
  return ref === undefined ? {} : { trace_id: ref.traceId, span_id: ref.spanId }
}

/** The line that goes with a told span: its name, what it carries, and the ids under which a trace store finds it. */
export function logSpan(logger: MeshLogger, effect: SpanEffect, ids: TraceRef): void {
  const { log } = specOf(spans, effect.span)
  if (!logger.isLevelEnabled(log)) return
  logger[log]({ ...idsOf(ids), ...cut(effect.attributes) }, effect.span)
}
