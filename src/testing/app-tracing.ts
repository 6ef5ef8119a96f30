import { after } from 'node:test'
import { context, type Tracer, trace } from '@opentelemetry/api'
import { NodeSDK } from '@opentelemetry/sdk-node'
import {
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace'

export interface AppTracing {
  readonly tracer: Tracer
  /** Ended spans of that name, in the exporter of the application. */
  readonly named: (name: string) => ReadableSpan[]
}

/** Root spans of this name are not sampled, nor are their children. */
export const unsampledName = 'unsampled'

/** OpenTelemetry as an application registers it, until the tests of the file have ended: SDK, context manager, exporter. */
export function appTracing(): AppTracing {
  const exporter = new InMemorySpanExporter()
  const sdk = new NodeSDK({
    autoDetectResources: false,
    sampler: byName,
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
    metricReaders: [],
    logRecordProcessors: [],
  })
  sdk.start()
  after(() => sdk.shutdown())
  return {
    tracer: trace.getTracer('app'),
    named: (name) => exporter.getFinishedSpans().filter((span) => span.name === name),
  }
}

const byName: Sampler = {
  shouldSample: (parent, _traceId, name) => {
    const unsampled = name === unsampledName || trace.getSpanContext(parent)?.traceFlags === 0
    return { decision: unsampled ? SamplingDecision.NOT_RECORD : SamplingDecision.RECORD_AND_SAMPLED }
  },
  toString: () => 'ByName',
}

/** What is active now. */
export const activeTraceId = (): string | undefined => trace.getSpanContext(context.active())?.traceId
