import { spansOfTrace } from './search.ts'
import type { SpanStore } from './span-store.ts'
import type { Origin, SpanRecord } from './span-types.ts'

/**
 * The answer that holds these traces, whole, as pieces of JSON: `{"result":{"resourceSpans":[…]}}`. Undefined when there
 * is not a single span.
 */
export async function answerOf(
  store: SpanStore,
  traceIds: readonly string[],
  signal: AbortSignal,
): Promise<AsyncIterable<string> | undefined> {
  const entries = resourceSpans(store, traceIds, signal)
  const first = await entries.next()
  return first.done ? undefined : around(first.value, entries)
}

async function* around(first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield `{"result":{"resourceSpans":[${first}`
  for await (const entry of rest) yield `,${entry}`
  yield ']}}'
}

async function* resourceSpans(
  store: SpanStore,
  traceIds: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<string, undefined> {
  for (const traceId of traceIds) {
    for await (const records of spansOfTrace(store, traceId, signal)) {
      for (const [origin, same] of Map.groupBy(records, (record) => record.origin)) yield entryOf(origin, same)
    }
  }
}

function entryOf({ resource, resourceSchema, scope, scopeSchema }: Origin, records: readonly SpanRecord[]): string {
  const spans = records.map(({ text }) => text).join()
  const scopeSpans = `{"scope":${JSON.stringify(scope)},"spans":[${spans}]${schema(scopeSchema)}}`
  return `{"resource":${JSON.stringify(resource)},"scopeSpans":[${scopeSpans}]${schema(resourceSchema)}}`
}

function schema(url: string): string {
  return url === '' ? '' : `,"schemaUrl":${JSON.stringify(url)}`
}
