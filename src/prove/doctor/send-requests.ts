import { exportBytes, otlpClient, type SentSpan } from '../../store/otlp-client.ts'
import { kinds, readResourceSpans, statuses } from '../../traces/otlp-json.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import type { RecordedGroup } from './span-file.ts'

/** Spans of an export, as the Collector sends them, and concurrent exports. */
const [perExport, inFlight] = [2_048, 4]

/** A line of a file of spans. */
export interface SpanRequest {
  readonly resourceSpans: readonly RecordedGroup[]
}

/**
 * Exports spans by OTLP over gRPC, and returns their number. `progress` is called with the number so far.
 *
 * @throws Error if the receiver refuses an export
 */
export async function sendRequests(
  url: string,
  requests: Iterable<SpanRequest>,
  progress: (spans: number) => void = () => {},
): Promise<number> {
  const client = otlpClient(url)
  const waiting: Record<string, TraceSpan[]> = {}
  const sending = new Set<Promise<void>>()
  let sent = 0
  const send = async (some: readonly TraceSpan[]) => {
    const { code, details } = await client.send(exportBytes(some[0]?.resource ?? {}, some.map(sentSpan)))
    if (code !== 0) throw new Error(`an export failed with status ${code}: ${details}`)
    sent += some.length
    progress(sent)
  }
  const flush = async (process: string) => {
    const promise: Promise<void> = send(waiting[process]?.splice(0) ?? []).finally(() => sending.delete(promise))
    sending.add(promise)
    if (sending.size >= inFlight) await Promise.race(sending)
  }
  try {
    for (const request of requests)
      for (const span of readResourceSpans({ ...request }).spans) {
        const process = String(span.resource['service.instance.id'])
        waiting[process] ??= []
        if (waiting[process].push(span) === perExport) await flush(process)
      }
    for (const [process, { length }] of Object.entries(waiting)) if (length > 0) await flush(process)
    await Promise.all(sending)
    return sent
  } finally {
    client.close()
  }
}

function sentSpan({ kind, status, ...span }: TraceSpan): SentSpan {
  return { ...span, kind: kinds.indexOf(kind), status: statuses.indexOf(status) }
}
