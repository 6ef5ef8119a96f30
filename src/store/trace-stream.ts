import { spansOfTrace } from './search.ts'
import type { SpanStore } from './span-store.ts'
import type { Origin, SpanRecord } from './span-types.ts'

/**
 * Streams complete traces as pieces of JSON: `{"result":{"resourceSpans":[…]}}`. Undefined if there is no span at all.
 */
export async function streamTraces(
  store: SpanStore,
  traceIds: readonly string[],
  signal: AbortSignal,
): Promise<AsyncIterable<string> | undefined> {
  const entries = readEntries(store, traceIds, signal)
  const first = await entries.next()
  return first.done ? undefined : wrapEntries(first.value, entries)
}

async function* wrapEntries(first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield `{"result":{"resourceSpans":[${first}`
  for await (const entry of rest) yield `,${entry}`
  yield ']}}'
}

async function* readEntries(
  store: SpanStore,
  traceIds: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<string, undefined> {
  for (const traceId of traceIds) {
    for await (const records of spansOfTrace(store, traceId, signal)) {
      for (const [origin, group] of Map.groupBy(records, (record) => record.origin)) yield formatEntry(origin, group)
    }
  }
}

function formatEntry({ resource, resourceSchema, scope, scopeSchema }: Origin, records: readonly SpanRecord[]): string {
  const spans = records.map(({ text }) => text).join()
  const scopeSpans = `{"scope":${JSON.stringify(scope)},"spans":[${spans}]${schemaField(scopeSchema)}}`
  return `{"resource":${JSON.stringify(resource)},"scopeSpans":[${scopeSpans}]${schemaField(resourceSchema)}}`
}

function schemaField(url: string): string {
  return url === '' ? '' : `,"schemaUrl":${JSON.stringify(url)}`
}
