import type { SpanExporter } from '@opentelemetry/sdk-trace'
import type { Tell } from '../catalogue/tell.ts'
import { limits as bounds } from '../core/limits.ts'
import type { Clock, Random } from '../core/machine.ts'
import type { TraceRef } from '../core/trace.ts'
import { exportingIsOff, limitsFromEnv, otlpExporter } from './exporter.ts'
import type { HeldSpan } from './held-span.ts'
import { otlpSender } from './otlp-sender.ts'
import { Outbox, type OutboxLimits, type Report } from './outbox.ts'
import { type NodeResource, type ProviderFactory, privateProvider, resourceOf } from './provider.ts'
import { Teller } from './teller.ts'

export interface TelemetryStats {
  /** Spans told so far; `told = exported + queued + lostTotal`, always. */
  readonly told: number
  /** Spans that the receiver has taken. */
  readonly exported: number
  /** Spans held for the receiver. */
  readonly queued: number
  /** Spans that will never arrive. */
  readonly lostTotal: number
}

export interface FlushReport {
  /** Spans that could not leave within the limit; they are still held. */
  readonly left: number
}

export interface Telemetry {
  /** Tells a span, ended now, and returns its ids. `window`: what it belongs to when it names no parent. */
  tell(effect: Tell, window: TraceRef | undefined): TraceRef
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
   * OTLP over gRPC, such as `http://127.0.0.1:4317`, `https:` for TLS; or `off`. `OTEL_EXPORTER_OTLP_*` variables win. `off`: spans
   * are counted and go nowhere.
   */
  readonly endpoint?: string | undefined
  /** Told of troubles on the way to the receiver, and of what was lost at exit. */
  readonly logger?: Report
  /** `OTEL_BSP_*` variables win. */
  readonly limits?: Partial<OutboxLimits>
  /** Where the tracer comes from. A private one unless said otherwise; `nodeSdkProvider` for a process that is ours. */
  readonly provider?: ProviderFactory
  readonly random?: Random
  /** In place of OTLP. */
  readonly exporter?: SpanExporter
}

/**
 * Batch and delay are what OpenTelemetry SDKs have by default. The delay is most of what telemetry costs an idle node:
 * measured at two spans a second, 3.5 ms/s of CPU with 1 s, 2.3 with 2 s, 1.6 with 5 s.
 */
const defaults: OutboxLimits = {
  spans: bounds.spans,
  spanBytes: bounds.spanBytes,
  batchSpans: 512,
  batchBytes: 1024 * 1024,
  delayMs: 5_000,
  retryMs: 500,
  retryMaxMs: 15_000,
  doubts: 8,
}

/**
 * Starts telling spans: SDK spans into a bounded outbox, from there to the receiver, with every loss counted.
 * `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` are as good as the endpoint `off`.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { clock, random = Math.random, exporter, logger: report = () => {} } = options
  const off = exporter === undefined && (options.endpoint === 'off' || exportingIsOff())
  const makeExporter = exporter === undefined ? () => otlpExporter(options.endpoint) : () => reusable(exporter)
  const outbox = new Outbox<HeldSpan>({
    clock,
    random,
    report,
    limits: { ...defaults, ...options.limits, ...limitsFromEnv() },
    sender: off
      ? { send: (_batch, answer) => queueMicrotask(() => answer('sent')), close() {} }
      : otlpSender(makeExporter),
    tellLoss: (loss) => teller.tellLoss(loss),
  })
  const teller = new Teller({
    clock,
    random,
    report,
    resource: resourceOf(options.resource),
    provider: options.provider ?? privateProvider,
    add: (span) => outbox.add(span),
  })
  return {
    tell: (effect, window) => teller.tell(effect, window),
    flush: async (limitMs) => ({ left: await outbox.flush(limitMs) }),
    close: async (limitMs) => {
      const lost = await outbox.close(limitMs)
      await teller.close()
      exporter?.shutdown().catch(() => {})
      return { lost }
    },
    get stats() {
      return { told: teller.told, exported: outbox.sent, queued: outbox.queued, lostTotal: outbox.lost }
    },
  }
}

/** An exporter handed in outlives its failures: only `close` shuts it down. */
function reusable(exporter: SpanExporter): SpanExporter {
  return { export: (spans, done) => exporter.export(spans, done), shutdown: () => Promise.resolve() }
}
