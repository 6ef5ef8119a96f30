import { type Context, trace } from '@opentelemetry/api'
import { NodeSDK } from '@opentelemetry/sdk-node'
import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace'
import { meshTracer, type ProviderFactory, privateProvider } from './provider.ts'

/**
 * The provider of our own process: `NodeSDK`, registered globally, so that spans of other instrumentation use the same
 * bounded queue. It is a module of its own because loading the SDK costs 9 MB and 200 ms.
 *
 * If another global provider is registered already (`node --import …`), ours is private.
 */
export const nodeSdkProvider: ProviderFactory = (config) => {
  const counter = countStarts(config.processor)
  const sdk = new NodeSDK({
    resource: config.resource,
    autoDetectResources: false,
    idGenerator: config.idGenerator,
    sampler: config.sampler,
    spanProcessors: [counter.processor],
    metricReaders: [],
    logRecordProcessors: [],
  })
  sdk.start()
  const tracer = meshTracer(trace, config.version)
  tracer.startSpan('probe')
  if (counter.count() > 0) return { tracer, shutdown: () => sdk.shutdown() }
  void sdk.shutdown()
  return privateProvider(config)
}

/** Counts span starts. A probe span, never ended and so never exported, shows whether our provider became global. */
function countStarts(inner: SpanProcessor): { processor: SpanProcessor; count: () => number } {
  let count = 0
  const processor: SpanProcessor = {
    onStart: (span: Span, context: Context) => {
      count++
      inner.onStart(span, context)
    },
    onEnd: (span) => inner.onEnd(span),
    forceFlush: () => inner.forceFlush(),
    shutdown: () => inner.shutdown(),
  }
  return { processor, count: () => count }
}
