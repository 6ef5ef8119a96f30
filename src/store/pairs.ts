import { hashOf } from './filter.ts'
import type { AnyValue, Attributed, KeyValue, Origin, SpanRecord } from './span-types.ts'

/** `key` and value as text, as one text: what attributes are compared by. */
export type Pair = string

export function pairOf(key: string, value: string): Pair {
  return `${key}\0${value}`
}

/** What of a span can be asked for, besides its resource. */
export interface Asked extends Attributed {
  readonly events?: readonly Attributed[]
  readonly status: { readonly code?: number }
}

/** Pairs of the span itself. */
export function ownPairs({ text, origin }: Pick<SpanRecord, 'text' | 'origin'>): Pair[] {
  const pairs: Pair[] = []
  eachOf(JSON.parse(text) as Asked, origin.scope, (key, value) => pairs.push(pairOf(key, value)))
  return pairs
}

/** Hashes of the same pairs, without making them. */
export function ownHashes(span: Asked, { scope }: Origin): number[] {
  const hashes: number[] = []
  eachOf(span, scope, (key, value) => hashes.push(hashOf(value, hashOf('\0', hashOf(key)))))
  return hashes
}

/** Attributes of a span, of its events and its scope, and `error` for its status, as Jaeger has it. */
function eachOf(span: Asked, scope: Attributed, tell: (key: string, value: string) => void): void {
  for (const { key, value } of span.attributes ?? []) tell(key, textOf(value))
  for (const { key, value } of scope.attributes ?? []) tell(key, textOf(value))
  for (const { attributes = [] } of span.events ?? []) for (const { key, value } of attributes) tell(key, textOf(value))
  if (span.status.code === 2) tell('error', 'true')
  if (span.status.code === 1) tell('error', 'false')
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
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(bare)
  if (value.kvlistValue !== undefined)
    return Object.fromEntries((value.kvlistValue.values ?? []).map((pair) => [pair.key, bare(pair.value)]))
  if (value.intValue !== undefined) return Number(value.intValue)
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? value.bytesValue ?? null
}
