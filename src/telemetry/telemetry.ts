import type { SpanEffect } from '../catalogue/span-effect.ts'
import { limits as bounds } from '../core/limits.ts'
import type { Clock, Random } from '../core/machine.ts'
import type { TraceRef } from '../core/trace.ts'
import { failureDescriber } from './export-failure.ts'
import { createOtlpExporter, type ExportLimits, limitsFromEnv } from './exporter.ts'
import { ForwardingSpanProcessor, type SpanProcessors } from './forwarding-span-processor.ts'
import { createOtlpSender } from './otlp-sender.ts'
import { exportTimeout, findOtlpProblems, isExportOff, standardEndpoint } from './otlp-settings.ts'
import { Outbox, type OutboxLimits, type Reporter } from './outbox.ts'
import { type NodeResource, type ProviderFactory, privateProvider, resourceOf } from './provider.ts'
import type { QueuedSpan } from './queued-span.ts'
import { readSampling, type Sampling } from './sampling.ts'
import type { SpanExporter } from './sdk-types.ts'
import { silentTelemetry } from './silent-telemetry.ts'
import { SpanEmitter } from './span-emitter.ts'

export interface TelemetryStats {
  /** Spans emitted so far; `emitted = exported + queued + lostTotal + sampledOut`, always. */
  readonly emitted: number
  /** Spans that the receiver, or the processors in its place, accepted. */
  readonly exported: number
  /** Spans that wait for the receiver or its answer. */
  readonly queued: number
  /** Spans that will never arrive. */
  readonly lostTotal: number
  /** Spans that a sampler dropped. */
  readonly sampledOut: number
}

export interface FlushResult {
  /** Spans still queued at the limit. */
  readonly left: number
}

export interface Telemetry {
  /** Emits a span that ends now, and returns its ids. `window`: the parent of a span that names none. */
  emit(effect: SpanEffect, window: TraceRef | undefined): TraceRef
  /** The window of the last emitted span; undefined before the first. */
  readonly window: TraceRef | undefined
  /** Whether spans are exported: only then may others be their children. */
  readonly exports: boolean
  flush(limitMs: number): Promise<FlushResult>
  /**
   * Flushes for at most `limitMs`, then drops the rest. `lost`: unsent spans that no `mesh.telemetry.lost` span
   * reports; the logger gets them too. Never rejects.
   */
  close(limitMs: number): Promise<{ readonly lost: number }>
  readonly stats: TelemetryStats
}

export interface TelemetryOptions {
  readonly clock: Clock
  readonly resource: NodeResource
  /**
   * OTLP over gRPC, such as `http://127.0.0.1:4317`, `https:` for TLS; or `off`: spans are counted and not sent.
   * Default: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, then `OTEL_EXPORTER_OTLP_ENDPOINT`, then port 4317 of this machine.
   */
  readonly endpoint?: string | undefined
  /** Gets export failures, and spans lost at exit. */
  readonly logger?: Reporter
  /** `OTEL_BSP_*` variables win. */
  readonly limits?: Partial<ExportLimits>
  /** Get the SDK’s spans in place of OTLP and its queue; never shut down from here. */
  readonly spanProcessor?: SpanProcessors | undefined
  /** Makes the tracer. Default: a private provider; `nodeSdkProvider` for a process of our own. */
  readonly provider?: ProviderFactory
  readonly random?: Random
  /** Share of the traces, 0 to 1, whose routine spans are exported; default: that of `OTEL_TRACES_SAMPLER`. */
  readonly traceRoutine?: number | undefined
  /** In place of OTLP. */
  readonly exporter?: SpanExporter
}

/** The batch size is the default of OpenTelemetry SDKs. */
const defaults: OutboxLimits = {
  spans: bounds.spans,
  spanBytes: bounds.spanBytes,
  batchSpans: 512,
  batchBytes: 1024 * 1024,
  retryMs: 500,
  maxRetryMs: 15_000,
  maxUnknowns: 8,
}

/**
 * Longest delay of a span in milliseconds. Export requests are most of the telemetry cost of an idle node (measured at
 * two spans a second: 3.5 ms/s of CPU with a request each second, 1.6 with one in five), which emits routine spans
 * only.
 */
const heartbeatDelayMs = 15_000
const eventDelayMs = 1_000

/**
 * Starts telemetry: SDK spans go into a bounded outbox and from there to the receiver, and every loss is counted.
 * `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` mean the same as the endpoint `off`.
 *
 * Throws MESH_CONFIG_INVALID for the first of OpenTelemetry's variables that this exporter does not support.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { traceRoutine, logger: report = () => {} } = options
  const sampling = readSampling({ routineShare: traceRoutine, report })
  if (sampling.isOff) return silentTelemetry(options.random)
  return options.spanProcessor === undefined
    ? startExporting(options, sampling)
    : startForwarding(options, sampling, options.spanProcessor)
}

function startExporting(options: TelemetryOptions, sampling: Sampling): Telemetry {
  const { clock, random = Math.random, exporter, logger: report = () => {} } = options
  const isOff = exporter === undefined && (options.endpoint === 'off' || isExportOff())
  const endpoint = options.endpoint ?? standardEndpoint()
  const timeout = exportTimeout()
  const makeExporter =
    exporter === undefined ? () => createOtlpExporter(endpoint, timeout.ms) : () => withoutShutdown(exporter)
  if (exporter === undefined && !isOff) {
    const [problem] = findOtlpProblems(options.endpoint)
    if (problem !== undefined) throw problem
    if (timeout.raisedFrom !== undefined)
      report('warn', 'OTEL_EXPORTER_OTLP_TIMEOUT is too short, raised', {
        ms: timeout.ms,
        configured: timeout.raisedFrom,
      })
  }
  const { delayMs, ...limits }: Partial<ExportLimits> & OutboxLimits = {
    ...defaults,
    ...options.limits,
    ...limitsFromEnv(),
  }
  const outbox = new Outbox<QueuedSpan>({
    clock,
    random,
    report,
    limits,
    sender: isOff
      ? { send: (_batch, answer) => queueMicrotask(() => answer('sent')), close() {} }
      : createOtlpSender(makeExporter, failureDescriber(endpoint)),
    emitLoss: (loss) => emitter.emitLoss(loss),
  })
  const emitter = new SpanEmitter({
    clock,
    random,
    report,
    resource: resourceOf(options.resource),
    version: options.resource.version,
    provider: options.provider ?? privateProvider,
    sampling,
    outlet: { add: (span, routine) => outbox.add(span, delayMs ?? (routine ? heartbeatDelayMs : eventDelayMs)) },
  })
  return {
    emit: (effect, window) => emitter.emit(effect, window),
    get window() {
      return emitter.window
    },
    exports: !isOff,
    flush: async (limitMs) => ({ left: await outbox.flush(limitMs) }),
    close: async (limitMs) => {
      const lost = await outbox.close(limitMs)
      await emitter.close()
      exporter?.shutdown().catch(() => {})
      return { lost }
    },
    get stats() {
      const { spanCount: emitted, sampledOut } = emitter
      return { emitted, exported: outbox.sent, queued: outbox.queued, lostTotal: outbox.lost, sampledOut }
    },
  }
}

/**
 * Forwards spans at once: it has no queue to flush, and its private provider gets no spans of other instrumentation.
 */
function startForwarding(options: TelemetryOptions, sampling: Sampling, processors: SpanProcessors): Telemetry {
  const { clock, random = Math.random, logger: report = () => {} } = options
  const forwarder = new ForwardingSpanProcessor(processors, report)
  const emitter = new SpanEmitter({
    clock,
    random,
    report,
    resource: resourceOf(options.resource),
    version: options.resource.version,
    provider: privateProvider,
    sampling,
    outlet: { processor: forwarder.processor },
  })
  return {
    emit: (effect, window) => emitter.emit(effect, window),
    get window() {
      return emitter.window
    },
    exports: true,
    flush: async () => ({ left: 0 }),
    close: async () => {
      await emitter.close()
      return { lost: forwarder.lost }
    },
    get stats() {
      const { spanCount: emitted, sampledOut } = emitter
      return { emitted, exported: forwarder.forwarded, queued: 0, lostTotal: forwarder.lost, sampledOut }
    },
  }
}

/** An exporter from the options survives its failures: only `close` shuts it down. */
function withoutShutdown(exporter: SpanExporter): SpanExporter {
  return { export: (spans, done) => exporter.export(spans, done), shutdown: () => Promise.resolve() }
}
