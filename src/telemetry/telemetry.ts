import type { SpanEffect } from '../catalogue/span-effect.ts'
import type { Clock, Random } from '../core/machine.ts'
import type { TraceRef } from '../core/trace.ts'
import { ForwardingSpanProcessor, type SpanProcessors } from './forwarding-span-processor.ts'
import { createOtlpExporter, createOtlpSender, failureDescriber } from './otlp-exporter.ts'
import { exportTimeout, isExportOff, standardEndpoint } from './otlp-settings.ts'
import { type ExportLimits, Outbox, type OutboxOptions, type Reporter, resolveLimits, type Sender } from './outbox.ts'
import { type NodeResource, type ProviderFactory, privateProvider, resourceOf, type ToolResource } from './provider.ts'
import type { QueuedSpan } from './queued-span.ts'
import { readSampling } from './sampling.ts'
import type { SpanExporter } from './sdk-types.ts'
import { type Outlet, SpanEmitter, silentTelemetry } from './span-emitter.ts'

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

export interface Telemetry {
  /** Emits a span that ends now, and returns its ids. `window`: the parent of a span that names none. */
  emit(effect: SpanEffect, window: TraceRef | undefined): TraceRef
  /** The window of the last emitted span; undefined before the first. */
  readonly window: TraceRef | undefined
  /** Whether spans are exported: only then may others be their children. */
  readonly exports: boolean
  /** `left`: spans still queued at the limit. */
  flush(limitMs: number): Promise<{ readonly left: number }>
  /**
   * Flushes for at most `limitMs`, then drops the rest. `lost`: unsent spans that no `mesh.telemetry.lost` span
   * reports; the logger gets them too. Never rejects.
   */
  close(limitMs: number): Promise<{ readonly lost: number }>
  readonly stats: TelemetryStats
}

export interface TelemetryOptions {
  readonly clock: Clock
  readonly resource: NodeResource | ToolResource
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

/**
 * Longest delay of a span in milliseconds. An idle node emits routine spans only, and each export request has a cost:
 * see docs/decisions/0013-export-delays.md.
 */
const heartbeatDelayMs = 15_000
const eventDelayMs = 1_000

/** Where the spans of the emitter go. */
interface Destination {
  readonly provider: ProviderFactory
  readonly outlet: Outlet
  readonly exports: boolean
  readonly counts: () => Pick<TelemetryStats, 'exported' | 'queued' | 'lostTotal'>
  flush(limitMs: number): Promise<number>
  /** Resolves to the number of lost spans that no span reports. */
  close(limitMs: number): Promise<number>
}

/**
 * Starts telemetry: SDK spans go into a bounded outbox and from there to the receiver, and every loss is counted.
 * `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` mean the same as the endpoint `off`. The caller checks
 * OpenTelemetry's other variables first, with `findOtlpProblems`.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { clock, random = Math.random, resource, traceRoutine, spanProcessor, logger: report = () => {} } = options
  const sampling = readSampling({ routineShare: traceRoutine, report })
  if (sampling.isOff) return silentTelemetry(random)
  const emitLoss: OutboxOptions<QueuedSpan>['emitLoss'] = (span, loss) => emitter.emit(span, emitter.window, loss)
  const destination =
    spanProcessor === undefined
      ? outboxDestination(options, { clock, random, report, emitLoss })
      : processorDestination(spanProcessor, report)
  const emitter = new SpanEmitter({
    clock,
    random,
    resource: resourceOf(resource),
    version: resource.version,
    provider: destination.provider,
    sampling,
    outlet: destination.outlet,
  })
  return {
    emit: (effect, window) => emitter.emit(effect, window),
    get window() {
      return emitter.window
    },
    exports: destination.exports,
    flush: async (limitMs) => ({ left: await destination.flush(limitMs) }),
    close: async (limitMs) => {
      const lost = await destination.close(limitMs)
      await emitter.close()
      options.exporter?.shutdown().catch(() => {})
      return { lost }
    },
    get stats() {
      const { spanCount: emitted, sampledOut } = emitter
      return { emitted, ...destination.counts(), sampledOut }
    },
  }
}

function outboxDestination(
  options: TelemetryOptions,
  outboxOptions: Pick<OutboxOptions<QueuedSpan>, 'clock' | 'random' | 'report' | 'emitLoss'>,
): Destination {
  const isOff = options.exporter === undefined && (options.endpoint === 'off' || isExportOff())
  const { delayMs, ...limits } = resolveLimits(options.limits)
  const sender = isOff ? countingSender : createSender(options, outboxOptions.report)
  const outbox = new Outbox<QueuedSpan>({ ...outboxOptions, limits, sender })
  return {
    provider: options.provider ?? privateProvider,
    outlet: { add: (span, routine) => outbox.add(span, delayMs ?? (routine ? heartbeatDelayMs : eventDelayMs)) },
    exports: !isOff,
    counts: () => ({ exported: outbox.sent, queued: outbox.queued, lostTotal: outbox.lost }),
    flush: (limitMs) => outbox.flush(limitMs),
    close: (limitMs) => outbox.close(limitMs),
  }
}

/** Sends nothing: the spans only count. */
const countingSender: Sender<QueuedSpan> = {
  send: (_batch, onOutcome) => queueMicrotask(() => onOutcome('sent')),
  close() {},
}

function createSender({ endpoint = standardEndpoint(), exporter }: TelemetryOptions, report: Reporter) {
  // An exporter from the options survives its failures: only `close` shuts it down.
  if (exporter !== undefined)
    return createOtlpSender(() => ({ export: exporter.export.bind(exporter), shutdown: () => Promise.resolve() }))
  const { ms, raisedFrom } = exportTimeout()
  if (raisedFrom !== undefined)
    report('warn', 'OTEL_EXPORTER_OTLP_TIMEOUT is too short, raised', { ms, configured: raisedFrom })
  return createOtlpSender(() => createOtlpExporter(endpoint, ms), failureDescriber(endpoint))
}

/**
 * Forwards spans at once: it has no queue to flush, and its private provider gets no spans of other instrumentation.
 */
function processorDestination(processors: SpanProcessors, report: Reporter): Destination {
  const forwarder = new ForwardingSpanProcessor(processors, report)
  return {
    provider: privateProvider,
    outlet: { processor: forwarder.processor },
    exports: true,
    counts: () => ({ exported: forwarder.forwarded, queued: 0, lostTotal: forwarder.lost }),
    flush: async () => 0,
    close: async () => forwarder.lost,
  }
}
