import type { SpanEffect } from '../catalogue/span-effect.ts'
import { limits as bounds } from '../core/limits.ts'
import type { Clock, Random } from '../core/machine.ts'
import type { TraceRef } from '../core/trace.ts'
import { failureText } from './export-failure.ts'
import { type ExportLimits, limitsFromEnv, otlpExporter } from './exporter.ts'
import { ForwardingSpanProcessor, type SpanProcessors } from './forwarding-span-processor.ts'
import { otlpSender } from './otlp-sender.ts'
import { exportingIsOff, exportTimeout, otlpProblems, standardEndpoint } from './otlp-settings.ts'
import { Outbox, type OutboxLimits, type Report } from './outbox.ts'
import { type NodeResource, type ProviderFactory, privateProvider, resourceOf } from './provider.ts'
import type { QueuedSpan } from './queued-span.ts'
import { type Sampling, samplingOf } from './sampling.ts'
import type { SpanExporter } from './sdk-types.ts'
import { silentTelemetry } from './silent-telemetry.ts'
import { SpanEmitter } from './span-emitter.ts'

export interface TelemetryStats {
  /** Spans told so far; `told = exported + queued + lostTotal + sampledOut`, always. */
  readonly emitted: number
  /** Spans that the receiver has taken, or the processors in its place. */
  readonly exported: number
  /** Spans held for the receiver. */
  readonly queued: number
  /** Spans that will never arrive. */
  readonly lostTotal: number
  /** Spans that did not leave since a sampler said so. */
  readonly sampledOut: number
}

export interface FlushReport {
  /** Spans that could not leave within the limit; they are still held. */
  readonly left: number
}

export interface Telemetry {
  /** Tells a span, ended now, and returns its ids. `window`: what it belongs to when it names no parent. */
  emit(effect: SpanEffect, window: TraceRef | undefined): TraceRef
  /** The window that spans were told in last; undefined before the first. */
  readonly window: TraceRef | undefined
  /** Whether spans go anywhere: a span that others are to be children of should. */
  readonly exports: boolean
  flush(limitMs: number): Promise<FlushReport>
  /**
   * Flushes for at most `limitMs`, then gives up the rest. `lost`: spans that never left and that no
   * `mesh.telemetry.lost` span tells of; they are reported to the logger too. Never rejects.
   */
  close(limitMs: number): Promise<{ readonly lost: number }>
  readonly stats: TelemetryStats
}

export interface TelemetryOptions {
  readonly clock: Clock
  readonly resource: NodeResource
  /**
   * OTLP over gRPC, such as `http://127.0.0.1:4317`, `https:` for TLS; or `off`: spans are counted and go nowhere. Left
   * out, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` and `OTEL_EXPORTER_OTLP_ENDPOINT` name it, then port 4317 of this machine.
   */
  readonly endpoint?: string | undefined
  /** Told of troubles on the way to the receiver, and of what was lost at exit. */
  readonly logger?: Report
  /** `OTEL_BSP_*` variables win. */
  readonly limits?: Partial<ExportLimits>
  /** In place of OTLP and of everything here that concerns it: they get the SDK’s spans, and are left running. */
  readonly spanProcessor?: SpanProcessors | undefined
  /** Where the tracer comes from. A private one unless said otherwise; `nodeSdkProvider` for a process that is ours. */
  readonly provider?: ProviderFactory
  readonly random?: Random
  /** Share of the traces, 0 to 1, whose routine spans leave; by default what `OTEL_TRACES_SAMPLER` says. */
  readonly traceRoutine?: number | undefined
  /** In place of OTLP. */
  readonly exporter?: SpanExporter
}

/** The batch is what OpenTelemetry SDKs have by default. */
const defaults: OutboxLimits = {
  spans: bounds.spans,
  spanBytes: bounds.spanBytes,
  batchSpans: 512,
  batchBytes: 1024 * 1024,
  retryMs: 500,
  retryMaxMs: 15_000,
  unknownsMax: 8,
}

/**
 * Milliseconds that a span may wait. Requests are most of what telemetry costs an idle node (measured at two spans a
 * second, 3.5 ms/s of CPU with one each second, 1.6 with one each five), and an idle node tells nothing but routine.
 */
const heartbeatDelayMs = 15_000
const eventDelayMs = 1_000

/**
 * Starts telling spans: SDK spans into a bounded outbox, from there to the receiver, with every loss counted.
 * `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` are as good as the endpoint `off`.
 *
 * Throws MESH_CONFIG_INVALID for the first of OpenTelemetry's variables that this exporter cannot work with.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { traceRoutine, logger: report = () => {} } = options
  const sampling = samplingOf({ routineShare: traceRoutine, report })
  if (sampling.off) return silentTelemetry(options.random)
  return options.spanProcessor === undefined
    ? exporting(options, sampling)
    : forwarding(options, sampling, options.spanProcessor)
}

function exporting(options: TelemetryOptions, sampling: Sampling): Telemetry {
  const { clock, random = Math.random, exporter, logger: report = () => {} } = options
  const off = exporter === undefined && (options.endpoint === 'off' || exportingIsOff())
  const endpoint = options.endpoint ?? standardEndpoint()
  const timeout = exportTimeout()
  const makeExporter = exporter === undefined ? () => otlpExporter(endpoint, timeout.ms) : () => reusable(exporter)
  if (exporter === undefined && !off) {
    const [problem] = otlpProblems(options.endpoint)
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
    sender: off
      ? { send: (_batch, answer) => queueMicrotask(() => answer('sent')), close() {} }
      : otlpSender(makeExporter, failureText(endpoint)),
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
    exports: !off,
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

/** Nothing is held, so there is nothing to flush, and no other instrumentation's spans come by. */
function forwarding(options: TelemetryOptions, sampling: Sampling, processors: SpanProcessors): Telemetry {
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

/** An exporter handed in outlives its failures: only `close` shuts it down. */
function reusable(exporter: SpanExporter): SpanExporter {
  return { export: (spans, done) => exporter.export(spans, done), shutdown: () => Promise.resolve() }
}
