import { attributeRenames } from '../catalogue/renamed.ts'
import type { Query } from './find-traces.ts'

/** Tags of one request, as Jaeger's `/api/traces` takes them. */
type Tags = Readonly<Record<string, string>>

/** Jaeger indexes no longer value in OpenSearch and Elasticsearch. */
const maxValueLength = 256

/** Operators of a regular expression of Lucene. A dot also matches itself. */
const operators = /[?+*|{}[\]()"\\#@&<>~]/g

/**
 * Tags whose traces together contain all that match `attributes`: a request for each. Empty if no attribute can be
 * searched. The traces may contain others, which the caller filters out.
 *
 * With OpenSearch, Jaeger takes a value for a regular expression, with other storages literally: a value with operators
 * needs both. Spans of the previous version have other keys.
 *
 * @param withFields Whether the storage has kind, status and scope among the tags
 */
export function tagSets(attributes: Query['attributes'] = {}, withFields = true): readonly Tags[] {
  const tags = Object.entries(attributes).flatMap(([key, value]) => {
    if (serviceKeys.includes(key)) return []
    const field = fieldTag(key, String(value))
    if (field !== undefined) return withFields ? field : []
    return isIndexed(value) ? [[key.replace(/^resource\./, ''), String(value)] as const] : []
  })
  if (tags.length === 0) return []
  const previous = tags.map(([key, text]) => previousTag(key, text))
  const isRenamed = previous.some(([key], index) => key !== tags[index]?.[0])
  return [tags, ...(isRenamed ? [previous] : [])].flatMap((pairs) => {
    const escaped = pairs.map(([key, text]) => [key, text.replace(operators, String.raw`\$&`)] as const)
    const hasOperators = escaped.some(([, text], index) => text !== pairs[index]?.[1])
    return [Object.fromEntries(pairs), ...(hasOperators ? [Object.fromEntries(escaped)] : [])]
  })
}

type Tag = readonly [key: string, text: string]

/** Every query has a service, and Jaeger has no tag for it. */
const serviceKeys: readonly string[] = ['service.name', 'resource.service.name']

/**
 * The tag for a field of a span, under Jaeger's name: badger, OpenSearch and Elasticsearch have it. Empty if a span that
 * matches may have no such tag; undefined for an attribute.
 */
function fieldTag(key: string, text: string): readonly Tag[] | undefined {
  switch (key) {
    case 'error':
      return text === 'true' ? [[key, text]] : []
    case 'span.status':
      return statusTags[text.toLowerCase()] ?? []
    case 'span.kind':
      return text === '' ? [] : [[key, text.toLowerCase()]]
    case 'scope.name':
    case 'scope.version':
      return text === '' ? [] : [[`otel.${key}`, text]]
    default:
      return undefined
  }
}

const statusTags: Readonly<Record<string, readonly Tag[]>> = {
  ok: [['otel.status_code', 'OK']],
  error: [['error', 'true']],
}

/** Whether all of Jaeger's storages index the value as `String` writes it: badger has ten digits of a fraction. */
function isIndexed(value: string | number | boolean): boolean {
  if (typeof value !== 'number') return String(value).length <= maxValueLength
  if (Number.isInteger(value)) return Number.isSafeInteger(value)
  return Math.abs(value) >= 1e-4 && Math.abs(value) < 1e10 && Number(value.toPrecision(10)) === value
}

/** The tag of a span of the previous version. */
function previousTag(key: string, text: string): Tag {
  const change = Object.entries(attributeRenames).find(([, { name }]) => name === key)
  if (change === undefined) return [key, text]
  const [previousKey, { times }] = change
  return [previousKey, times === undefined ? text : String(Number(text) / times)]
}

/** Parameters of `/api/traces`, whose times are in microseconds. */
export function tagParameters(query: Query, tags: Tags, count: number): URLSearchParams {
  return new URLSearchParams({
    service: query.service,
    ...(query.span !== undefined && { operation: query.span }),
    start: microseconds(Math.floor(query.fromMs)),
    end: microseconds(Math.ceil(query.toMs)),
    limit: String(count),
    tags: JSON.stringify(tags),
  })
}

function microseconds(ms: number): string {
  return String(BigInt(ms) * 1_000n)
}
