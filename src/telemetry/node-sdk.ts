import { type Context, trace } from '@opentelemetry/api'
import { NodeSDK } from '@opentelemetry/sdk-node'
import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace'
import { meshTracer, type ProviderFactory, privateProvider } from './provider.ts'

/**
 * The provider of a process that is ours: `NodeSDK`, registered globally, so that spans of other instrumentation leave
 * by the same bounded way. Kept apart from the private provider since loading the SDK costs 9 MB and 200 ms.
 *
 * Where somebody registered a global provider before (`node --import …`), that one is left alone.
 */
export const nodeSdkProvider: ProviderFactory = (config) => {
  const started = watchStarts(config.processor)
  const sdk = new NodeSDK({
    resource: config.resource,
    autoDetectResources: false,
    idGenerator: config.idGenerator,
    sampler: config.sampler,
    spanProcessors: [started.processor],
    metricReaders: [],
    logRecordProcessors: [],
  })
  sdk.start()
  const tracer = meshTracer(trace, config.version)
  tracer.startSpan('probe')
  if (started.count() > 0) return { tracer, shutdown: () => sdk.shutdown() }
  void sdk.shutdown()
  return privateProvider(config)
}

/** A probe span that is never ended, so never exported, shows whether the global tracer is the one just made. */
function watchStarts(inner: SpanProcessor): { processor: SpanProcessor; count: () => number } {
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
