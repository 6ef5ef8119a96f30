import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningStack } from '../../stack/bare.ts'
import { until } from '../../testing/until.ts'
import { TraceReader } from '../../traces/reader.ts'
import type { TraceSpan } from '../../traces/trace.ts'

/** Spans in the Collector's queue, by its own metrics. */
export async function queueSize({ urls }: RunningStack): Promise<number> {
  const text = await (await fetch(urls.collectorMetrics)).text()
  const size = /^otelcol_exporter_queue_size\{[^}]*exporter="otlp_grpc\/jaeger"[^}]*\} (\S+)$/m.exec(text)?.[1]
  if (size === undefined) throw new Error('the Collector reports no queue size')
  return Number(size)
}

/** All spans in Jaeger, once it has the stop of every node. */
export async function allSpans(stack: RunningStack, fromMs: number, count: number): Promise<readonly TraceSpan[]> {
  const reader = new TraceReader(stack.urls.jaeger, { countLimit: 2_000, timeoutMs: 30_000 })
  const find = async (span?: string) => {
    const query = { service: 'mesh-a', fromMs, toMs: Date.now() + 1_000, limit: 1_999, ...(span && { span }) }
    const { traces, partial } = await reader.find(query)
    if (partial !== undefined) throw new Error(`Jaeger returned only a part of the spans: ${partial}`)
    return traces.flatMap(({ spans }) => spans)
  }
  const ended = (spans: readonly TraceSpan[]) => spans.filter(({ name }) => name === 'mesh.node.stopped').length
  await until(async () => ended(await find('mesh.node.stopped')) === count, 30_000, 'every node has emitted its stop')
  // Jaeger stores spans of the same requests at about the same time.
  await sleep(2_000)
  return find()
}

export interface Account {
  readonly node: string
  readonly spans: number
  /** Missing numbers from 1 to the highest. */
  readonly missing: number
  readonly stopped: boolean
}

/** One account per emitting process. */
export function accountsOf(spans: readonly TraceSpan[]): readonly Account[] {
  const instances = Object.groupBy(spans, ({ resource }) => String(resource['service.instance.id']))
  return Object.values(instances).map((spansOfInstance = []) => accountOf(spansOfInstance))
}

function accountOf(spans: readonly TraceSpan[]): Account {
  const numbers = spans.map(({ attributes }) => Number(attributes['mesh.seq']))
  const distinct = new Set(numbers)
  return {
    node: String(spans[0]?.resource['mesh.node.name']),
    spans: spans.length,
    missing: Math.max(...numbers) - distinct.size,
    stopped: spans.some(({ name }) => name === 'mesh.node.stopped'),
  }
}
