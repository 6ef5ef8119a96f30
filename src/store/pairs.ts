import { SpanStatusCode } from '@opentelemetry/api'
import { hashOf } from './bloom-filter.ts'
import type { AnyValue, Attributed, KeyValue, Origin, SpanRecord } from './span-record.ts'

/** Key and value of an attribute as one text, for comparison. */
export type Pair = string

export function pairOf(key: string, value: string): Pair {
  return `${key}\0${value}`
}

/** Search names of kinds and statuses, by their numbers in OTLP; the first stands for unknown numbers. */
export const kindNames = ['', 'internal', 'server', 'client', 'producer', 'consumer'] as const
const statusNames = ['unset', 'ok', 'error'] as const

/** The searchable fields of a span, without its resource. */
export interface SearchableSpan extends Attributed {
  readonly kind?: number
  readonly events?: readonly Attributed[]
  readonly status: { readonly code?: number }
}

/**
 * The pair of a search for `key`. Like Jaeger, `span.kind` and `span.status` ignore case, and an unknown name means no
 * kind or status unset.
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
  forEachPair(JSON.parse(text) as SearchableSpan, origin.scope, (key, value) => pairs.push(pairOf(key, value)))
  return pairs
}

/** Hashes of the same pairs, without building them. */
export function ownHashes(span: SearchableSpan, { scope }: Origin): number[] {
  const hashes: number[] = []
  forEachPair(span, scope, (key, value) => hashes.push(hashOf(value, hashOf('\0', hashOf(key)))))
  return hashes
}

/**
 * Visits the attributes of a span, its events and its scope, then kind and status under the keys of Jaeger (`tenant.go`
 * of its memory store), and `error` for the status.
 */
function forEachPair(span: SearchableSpan, scope: Attributed, visit: (key: string, value: string) => void): void {
  for (const { key, value } of span.attributes ?? []) visit(key, textOf(value))
  for (const { key, value } of scope.attributes ?? []) visit(key, textOf(value))
  for (const { attributes = [] } of span.events ?? [])
    for (const { key, value } of attributes) visit(key, textOf(value))
  if (span.status.code === SpanStatusCode.ERROR) visit('error', 'true')
  if (span.status.code === SpanStatusCode.OK) visit('error', 'false')
  visit('span.kind', kindNames[span.kind ?? 0] ?? '')
  visit('span.status', statusNames[span.status.code ?? 0] ?? 'unset')
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

/** Like OpenTelemetry's `AsString`: a text as it is, everything else as JSON. */
function textOf({ stringValue, boolValue, intValue, doubleValue, bytesValue, ...rest }: AnyValue): string {
  const single = stringValue ?? boolValue ?? intValue ?? doubleValue ?? bytesValue
  if (single !== undefined) return String(single)
  return Object.keys(rest).length === 0 ? '' : jsonText(rest)
}

/** Integers as digits, since a JavaScript number rounds beyond 2^53. Keys are sorted, as in Go. */
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
