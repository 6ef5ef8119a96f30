import type { Outcome, Sender } from './outbox.ts'
import type { ReadableSpan, SpanExporter } from './sdk-types.ts'

/** gRPC status codes by what they say of a batch; https://grpc.io/docs/guides/status-codes, OTLP 1.7 "Failures". */
const refusals: readonly number[] = [
  3, // INVALID_ARGUMENT
  5, // NOT_FOUND
  7, // PERMISSION_DENIED
  9, // FAILED_PRECONDITION
  12, // UNIMPLEMENTED
  16, // UNAUTHENTICATED
]
const absences: readonly number[] = [
  1, // CANCELLED
  4, // DEADLINE_EXCEEDED
  10, // ABORTED
  11, // OUT_OF_RANGE
  14, // UNAVAILABLE
  15, // DATA_LOSS
]

const deadlineExceeded = 4
/** Missed deadlines in a row after which the channel counts as dead. */
const deadlinesMax = 3

/**
 * Sends through an OTLP exporter, which neither retries nor counts. `describe` says in words why an export failed.
 *
 * After a failure the exporter is thrown away: gRPC's channel waits up to two minutes before it dials again, a fresh one
 * dials at once. A missed deadline alone says nothing of the channel: it may still be connecting, or wait for a slow
 * receiver, so it is kept until three deadlines in a row are missed.
 */
export function otlpSender(
  makeExporter: () => SpanExporter,
  describe: (error: unknown) => unknown = (error) => error,
): Sender<ReadableSpan> {
  let exporter: SpanExporter | undefined
  let deadlines = 0
  const drop = (): void => {
    exporter?.shutdown().catch(() => {})
    exporter = undefined
    deadlines = 0
  }
  const review = (outcome: Outcome, error: unknown): void => {
    if (outcome === 'sent') deadlines = 0
    else if (codeOf(error) !== deadlineExceeded || ++deadlines >= deadlinesMax) drop()
  }
  return {
    send(batch, answer) {
      let answered = false
      const once = (outcome: Outcome, cause?: unknown): void => {
        if (answered) return
        answered = true
        review(outcome, cause)
        answer(outcome, cause === undefined ? undefined : describe(cause))
      }
      try {
        exporter ??= makeExporter()
        exporter.export([...batch], ({ code, error }) =>
          queueMicrotask(() => once(code === 0 ? 'sent' : outcomeOf(error), error)),
        )
      } catch (error) {
        queueMicrotask(() => once('unknown', error))
      }
    },
    close: drop,
  }
}

/** RESOURCE_EXHAUSTED is a full queue or a request too large; INTERNAL and UNKNOWN a broken stream or a broken span. */
function outcomeOf(error: unknown): Outcome {
  const code = codeOf(error)
  if (code === undefined) return 'unknown'
  if (refusals.includes(code)) return 'refused'
  return absences.includes(code) ? 'retryable' : 'unknown'
}

/** Status code of gRPC. */
function codeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'number' ? code : undefined
}
