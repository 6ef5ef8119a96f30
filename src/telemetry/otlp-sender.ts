import type { Outcome, Sender } from './outbox.ts'
import type { ReadableSpan, SpanExporter } from './sdk-types.ts'

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
