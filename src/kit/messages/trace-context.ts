import { context, isSpanContextValid, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api'
import type { TraceRef } from '../../core/trace.ts'

/** The active span of the application. */
interface ActiveSpan {
  readonly ref: TraceRef
  /** Messages carry only sampled spans: the wire has no trace flags, and a receiver treats every trace as sampled. */
  readonly isSampled: boolean
}

export function activeSpan(): ActiveSpan | undefined {
  const active = trace.getActiveSpan()?.spanContext()
  if (active === undefined || !isSpanContextValid(active)) return undefined
  const { traceId, spanId, traceFlags } = active
  return { ref: { traceId, spanId }, isSampled: (traceFlags & TraceFlags.SAMPLED) !== 0 }
}

/** Calls a handler of the application as `withRemoteSpan` does; `onError` gets what it throws or rejects with. */
export function callHandler(
  remote: TraceRef | undefined,
  handler: () => unknown,
  onError: (error: unknown) => void,
  isSampled?: boolean,
): void {
  try {
    const result = withRemoteSpan(remote, handler, isSampled)
    if (result instanceof Promise) result.catch(onError)
  } catch (error) {
    onError(error)
  }
}

/**
 * Calls a handler of the application with a remote span as its active span, across awaits too. Without a remote span
 * the handler runs in the root context: the context around the call belongs to the code that opened the stream. Spans
 * of the handler join the trace even if it is not sampled; a parent-based sampler then records none.
 */
export function withRemoteSpan<T>(remote: TraceRef | undefined, handler: () => T, isSampled = true): T {
  if (remote === undefined) return context.with(ROOT_CONTEXT, handler)
  const { traceId, spanId } = remote
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE
  const spanContext = { traceId, spanId, traceFlags, isRemote: true }
  return context.with(trace.setSpanContext(ROOT_CONTEXT, spanContext), handler)
}
