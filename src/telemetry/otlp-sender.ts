import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import type { Outcome, Sender } from './outbox.ts'

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

/**
 * Sends through an OTLP exporter, which neither retries nor counts.
 *
 * After a failure the exporter is thrown away: gRPC's channel waits up to two minutes before it dials again, a fresh one
 * dials at once.
 */
export function otlpSender(makeExporter: () => SpanExporter): Sender<ReadableSpan> {
  let exporter: SpanExporter | undefined
  const drop = (): void => {
    exporter?.shutdown().catch(() => {})
    exporter = undefined
  }
  return {
    send(batch, answer) {
      let answered = false
      const once = (outcome: Outcome, cause?: unknown): void => {
        if (answered) return
        answered = true
        if (outcome !== 'sent') drop()
        answer(outcome, cause)
      }
      try {
        exporter ??= makeExporter()
        exporter.export([...batch], ({ code, error }) =>
          queueMicrotask(() => once(code === 0 ? 'sent' : outcomeOf(error), error)),
        )
      } catch (error) {
        queueMicrotask(() => once('doubtful', error))
      }
    },
    close: drop,
  }
}

/** RESOURCE_EXHAUSTED is a full queue or a request too large; INTERNAL and UNKNOWN a broken stream or a broken span. */
function outcomeOf(error: unknown): Outcome {
  const code = (error as { code?: unknown } | undefined)?.code
  if (typeof code !== 'number') return 'doubtful'
  if (refusals.includes(code)) return 'refused'
  return absences.includes(code) ? 'away' : 'doubtful'
}
