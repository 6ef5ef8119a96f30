import type { AnyValue, Attributed, KeyValue, Origin, SpanRecord } from './span-record.ts'

/** `key` and value as text, as one text: what attributes are compared by. */
export type Pair = string

export function pairOf(key: string, value: string): Pair {
  return `${key}\0${value}`
}

/** Pairs of the span itself: its attributes, those of its events and its scope, and `error` for its status, as Jaeger has it. */
export function ownPairs({ text, origin }: Pick<SpanRecord, 'text' | 'origin'>): Pair[] {
  const span = JSON.parse(text) as Attributed & {
    readonly events?: readonly Attributed[]
    readonly status?: { readonly code?: number }
  }
  const { code } = span.status ?? {}
  const pairs = [...pairsOf(span), ...pairsOf(origin.scope), ...(span.events ?? []).flatMap(pairsOf)]
  if (code === 2) pairs.push(pairOf('error', 'true'))
  if (code === 1) pairs.push(pairOf('error', 'false'))
  return pairs
}

export function resourcePairs({ resource }: Origin): Pair[] {
  return pairsOf(resource)
}

function pairsOf({ attributes = [] }: Attributed): Pair[] {
  return attributes.map(({ key, value }: KeyValue) => pairOf(key, textOf(value)))
}

/** As OpenTelemetry's `AsString` has it: a text as it is, everything else as JSON. */
function textOf({ stringValue, boolValue, intValue, doubleValue, bytesValue, ...rest }: AnyValue): string {
  const single = stringValue ?? boolValue ?? intValue ?? doubleValue ?? bytesValue
  if (single !== undefined) return String(single)
  return Object.keys(rest).length === 0 ? '' : JSON.stringify(bare(rest))
}

function bare(value: AnyValue): unknown {
  if (value.arrayValue !== undefined) return value.arrayValue.values.map(bare)
  if (value.kvlistValue !== undefined)
    return Object.fromEntries(value.kvlistValue.values.map((pair) => [pair.key, bare(pair.value)]))
  if (value.intValue !== undefined) return Number(value.intValue)
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? value.bytesValue ?? null
}
