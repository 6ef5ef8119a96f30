import type { Trace, TraceSpan } from '../../traces/trace.ts'
import { waterfall } from './waterfall.ts'

/** Attributes shown of a span in a list, and the length of the text. */
const shown = { attributes: 3, characters: 120 } as const

/** Attributes of a span for a list: those that were searched for, then its first others; not who emitted it. */
export function notableAttributes({ attributes, resource }: TraceSpan, searched: readonly string[]): string {
  const found = searched.flatMap((key) => {
    const value = attributes[key] ?? resource[key]
    return value === undefined ? [] : [[key, value] as const]
  })
  const others = Object.entries(attributes).filter(([key]) => !searched.includes(key))
  const text = [...found, ...others]
    .slice(0, Math.max(shown.attributes, found.length))
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(' ')
  return text.length > shown.characters ? `${text.slice(0, shown.characters - 1)}…` : text
}

/** The first root of a trace. */
export function rootOf(trace: Trace): TraceSpan {
  const [row] = waterfall(trace.spans)
  if (row === undefined) throw new RangeError(`trace ${trace.traceId} has no span`)
  return row.span
}
