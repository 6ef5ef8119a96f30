import { errorMessage } from '../core/errors.ts'
import { bypassesProxy, findProxy, withoutProxy } from './otlp-proxy.ts'
import { headerValues } from './otlp-settings.ts'
import type { Outcome, Sender } from './outbox.ts'
import { OTLPTraceExporter } from './sdk.ts'
import type { ReadableSpan, SpanExporter } from './sdk-types.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** `ExportResultCode.SUCCESS` of `@opentelemetry/core`. */
const exportSuccess = 0

/** gRPC status codes by what they say of a batch; https://grpc.io/docs/guides/status-codes, OTLP 1.7 "Failures". */
const refusedCodes: readonly number[] = [
  3, // INVALID_ARGUMENT
  5, // NOT_FOUND
  7, // PERMISSION_DENIED
  9, // FAILED_PRECONDITION
  12, // UNIMPLEMENTED
  16, // UNAUTHENTICATED
]
const retryableCodes: readonly number[] = [
  1, // CANCELLED
  4, // DEADLINE_EXCEEDED
  10, // ABORTED
  11, // OUT_OF_RANGE
  14, // UNAVAILABLE
  15, // DATA_LOSS
]

const deadlineExceeded = 4
/** After this many missed deadlines in a row the channel counts as dead. */
const maxMissedDeadlines = 3

/**
 * Sends through an OTLP exporter, which neither retries nor counts. `describe` turns an export error into text.
 *
 * A failed exporter is replaced: its gRPC channel waits up to two minutes before it dials again, a new one dials at
 * once. A missed deadline alone does not replace it, since the channel may still connect or the receiver be slow; three
 * in a row do.
 */
export function createOtlpSender(
  makeExporter: () => SpanExporter,
  describe: (error: unknown) => unknown = (error) => error,
): Sender<ReadableSpan> {
  let exporter: SpanExporter | undefined
  let missedDeadlines = 0
  const dropExporter = (): void => {
    exporter?.shutdown().catch(() => {})
    exporter = undefined
    missedDeadlines = 0
  }
  const dropUnusableExporter = (outcome: Outcome, error: unknown): void => {
    if (outcome === 'sent') missedDeadlines = 0
    else if (codeOf(error) !== deadlineExceeded || ++missedDeadlines >= maxMissedDeadlines) dropExporter()
  }
  return {
    send(batch, onOutcome) {
      let isDone = false
      const report = (outcome: Outcome, cause?: unknown): void => {
        if (isDone) return
        isDone = true
        dropUnusableExporter(outcome, cause)
        onOutcome(outcome, cause === undefined ? undefined : describe(cause))
      }
      try {
        exporter ??= makeExporter()
        exporter.export([...batch], ({ code, error }) =>
          queueMicrotask(() => report(code === exportSuccess ? 'sent' : outcomeOf(error), error)),
        )
      } catch (error) {
        queueMicrotask(() => report('unknown', error))
      }
    },
    close: dropExporter,
  }
}

/** RESOURCE_EXHAUSTED: a full queue or a request too large. INTERNAL, UNKNOWN: a broken stream or a broken span. */
function outcomeOf(error: unknown): Outcome {
  const code = codeOf(error)
  if (code === undefined) return 'unknown'
  if (refusedCodes.includes(code)) return 'refused'
  return retryableCodes.includes(code) ? 'retryable' : 'unknown'
}

/** The gRPC status code. */
function codeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'number' ? code : undefined
}

/**
 * OTLP over gRPC to `endpoint`; one export may take `timeoutMillis`. The exporter itself reads headers, compression and
 * certificates (`OTEL_EXPORTER_OTLP_*`). It reaches a host on this machine or network without a proxy.
 */
export function createOtlpExporter(endpoint: string, timeoutMillis: number): SpanExporter {
  const exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis })
  const { hostname } = new URL(endpoint)
  if (!bypassesProxy(hostname)) return exporter
  return {
    // The exporter opens its channel in the first export, and a new one after several deadlines.
    export: (spans, done) => withoutProxy(hostname, () => exporter.export(spans, done)),
    shutdown: () => exporter.shutdown(),
  }
}

/** Longest text of a library or receiver that goes into the log: enough to say why, too short to fill it. */
const maxTextLength = 300
/** Shorter values are redacted as whole words only: nearly every text contains an "a". */
const minSubstringLength = 8

/**
 * Describes why an export to `endpoint` failed: gRPC's text without header values (libraries quote them, receivers send
 * them back), and the proxy in use, which gRPC does not mention.
 */
export function failureDescriber(
  endpoint: string | undefined,
  env: Environment = process.env,
): (error: unknown) => string {
  const redact = createRedactor(headerValues(env))
  const url = URL.parse(endpoint ?? '')
  const proxy = url === null ? undefined : findProxy(url.hostname, env)
  const proxyHint = proxy && `through the proxy ${proxy.address} of ${proxy.variable}`
  const portHint = url?.port === '4318' ? 'port 4318 is usually OTLP over HTTP; gRPC listens at 4317' : undefined
  return (error) => {
    const text = redact(errorMessage(error))
    const cause = /Last error: (undefined|null)/.test(text) && proxy ? 'no connection' : text
    return [cause, proxyHint, portHint].filter((part) => part !== undefined).join('; ')
  }
}

/** Replaces each of `values` in a text, and cuts it to one line of 300 characters. */
export function createRedactor(values: readonly string[]): (text: string) => string {
  const forms = new Set(values.flatMap((value) => [value, JSON.stringify(value).slice(1, -1)]))
  const longestFirst = [...forms].filter((form) => form !== '').sort((a, b) => b.length - a.length)
  const patterns = longestFirst.map((form) => {
    const literal = form.replace(/\W/g, '\\$&')
    return new RegExp(form.length < minSubstringLength ? `(?<![A-Za-z0-9])${literal}(?![A-Za-z0-9])` : literal, 'g')
  })
  return (text) => {
    const redacted = patterns.reduce((result, pattern) => result.replace(pattern, '[redacted]'), text)
    const line = redacted.replace(/\p{Cc}+/gu, ' ')
    return line.length > maxTextLength ? `${line.slice(0, maxTextLength)}…` : line
  }
}
