import { hashOf } from './filter.ts'
import type { AnyValue, Attributed, KeyValue, Origin, SpanRecord } from './span-types.ts'

/** `key` and value as text, as one text: what attributes are compared by. */
export type Pair = string

export function pairOf(key: string, value: string): Pair {
  return `${key}\0${value}`
}

/** Kinds and states as they are asked for, by their numbers in OTLP; what is out of range is the first. */
export const kindNames = ['', 'internal', 'server', 'client', 'producer', 'consumer'] as const
const statusNames = ['unset', 'ok', 'error'] as const

/** What of a span can be asked for, besides its resource. */
export interface Asked extends Attributed {
  readonly kind?: number
  readonly events?: readonly Attributed[]
  readonly status: { readonly code?: number }
}

/**
 * The pair that a search for `key` looks for. Jaeger compares `span.kind` and `span.status` without regard to case, and
 * takes a name that it does not know for no kind and for unset.
 */
export function searchedPair(key: string, value: string): Pair {
  const name = value.toLowerCase()
  if (key === 'span.kind') return pairOf(key, kindNames.find((kind) => kind === name) ?? '')
  if (key === 'span.status') return pairOf(key, statusNames.find((status) => status === name) ?? 'unset')
  return pairOf(key, value)
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

/**
 * Attributes of a span, of its events and its scope; its kind, status and scope under the keys that Jaeger has for them
 * (`tenant.go` of its memory store), and `error` for its status.
 */
function eachOf(span: Asked, scope: Attributed, emitSpan: (key: string, value: string) => void): void {
  for (const { key, value } of span.attributes ?? []) emitSpan(key, textOf(value))
  for (const { key, value } of scope.attributes ?? []) emitSpan(key, textOf(value))
  for (const { attributes = [] } of span.events ?? [])
    for (const { key, value } of attributes) emitSpan(key, textOf(value))
  if (span.status.code === 2) emitSpan('error', 'true')
  if (span.status.code === 1) emitSpan('error', 'false')
  emitSpan('span.kind', kindNames[span.kind ?? 0] ?? '')
  emitSpan('span.status', statusNames[span.status.code ?? 0] ?? 'unset')
}

/** Attributes of the resource, each also under `resource.<key>`, and the name and version of the scope. */
export function sharedPairs({ resource, scope }: Origin): Pair[] {
  const attributes = pairsOf(resource)
  const { name = '', version = '' } = scope
  return [
    ...attributes,
    ...attributes.map((pair) => `resource.${pair}`),
    pairOf('scope.name', name),
    pairOf('scope.version', version),
  ]
}

function pairsOf({ attributes = [] }: Attributed): Pair[] {
  return attributes.map(({ key, value }: KeyValue) => pairOf(key, textOf(value)))
}

/** As OpenTelemetry's `AsString` has it: a text as it is, everything else as JSON. */
function textOf({ stringValue, boolValue, intValue, doubleValue, bytesValue, ...rest }: AnyValue): string {
  const single = stringValue ?? boolValue ?? intValue ?? doubleValue ?? bytesValue
  if (single !== undefined) return String(single)
  return Object.keys(rest).length === 0 ? '' : jsonText(rest)
}

/** Whole numbers as their digits: a JavaScript number would round what is beyond 2^53. Keys are sorted, as Go does it. */
function jsonText(value: AnyValue): string {
  const { arrayValue, kvlistValue, intValue } = value
  if (arrayValue !== undefined) return `[${(arrayValue.values ?? []).map(jsonText).join()}]`
  if (kvlistValue !== undefined) {
    const texts = new Map((kvlistValue.values ?? []).map((pair) => [pair.key, jsonText(pair.value)]))
    const sorted = [...texts].sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${sorted.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join()}}`
  }
  if (intValue !== undefined) return intValue
  return JSON.stringify(value.stringValue ?? value.boolValue ?? value.doubleValue ?? value.bytesValue ?? null)
}
