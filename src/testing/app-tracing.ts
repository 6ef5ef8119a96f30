import { after } from 'node:test'
import { context, TraceFlags, type Tracer, trace } from '@opentelemetry/api'
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
  /** Ended spans of that name in the application's exporter. */
  readonly spansNamed: (name: string) => ReadableSpan[]
}

/** The sampler drops root spans of this name, and their children. */
export const unsampledName = 'unsampled'

/** Registers OpenTelemetry as an application does, until the tests of the file end: SDK, context manager, exporter. */
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
    spansNamed: (name) => exporter.getFinishedSpans().filter((span) => span.name === name),
  }
}

const byName: Sampler = {
  shouldSample: (parent, _traceId, name) => {
    const unsampled = name === unsampledName || trace.getSpanContext(parent)?.traceFlags === TraceFlags.NONE
    return { decision: unsampled ? SamplingDecision.NOT_RECORD : SamplingDecision.RECORD_AND_SAMPLED }
  },
  toString: () => 'ByName',
}

/** Trace id of the active context. */
export const activeTraceId = (): string | undefined => trace.getSpanContext(context.active())?.traceId
