import type { TraceRef } from '../catalogue/span-effect.ts'
import type { Random } from './machine.ts'

export type { TraceRef }

/** A span that starts a new trace. */
export function newTrace(random: Random): TraceRef {
  return { traceId: hex(random, 4), spanId: hex(random, 2) }
}

/** A child span in the trace of `parent`. */
export function childOf(parent: TraceRef, random: Random): TraceRef {
  return { traceId: parent.traceId, spanId: hex(random, 2) }
}

/** A child span of `parent`, or the first span of a new trace. */
export function spanIn(parent: TraceRef | undefined, random: Random): TraceRef {
  return parent === undefined ? newTrace(random) : childOf(parent, random)
}

/** All-zero ids are invalid in W3C trace context, so the last bit is always set. */
function hex(random: Random, words: number): string {
  let text = ''
  for (let i = 0; i < words; i++) {
    const word = Math.floor(random() * 2 ** 32)
    text += (i === words - 1 ? (word | 1) >>> 0 : word).toString(16).padStart(8, '0')
  }
  return text
}

const traceparent = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/

const sampledFlag = 1

/** `traceparent` of W3C Trace Context level 1. */
export function formatTraceparent({ traceId, spanId, sampled }: TraceRef): string {
  return `00-${traceId}-${spanId}-0${sampled === false ? 0 : sampledFlag}`
}

/** Undefined for anything that is not a well-formed version 00 `traceparent`. */
export function parseTraceparent(text: string): TraceRef | undefined {
  const [, traceId, spanId, flags = ''] = traceparent.exec(text) ?? []
  if (traceId === undefined || spanId === undefined) return undefined
  const isSampled = (Number.parseInt(flags, 16) & sampledFlag) !== 0
  return { traceId, spanId, ...(!isSampled && { sampled: false }) }
}
