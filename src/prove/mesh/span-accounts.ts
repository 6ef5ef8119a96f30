import { addNumbers, countMissing, emptySequence } from '../../store/sequence.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { byInstance, numberOf, spansNamed } from '../evidence.ts'

/** Count of one process's spans at the receiver. */
export interface SpanAccount {
  readonly node: string
  /** Highest sequence number: the process emitted at least as many. */
  readonly emitted: number
  readonly received: number
  readonly missing: number
  /** Sum of its own `mesh.telemetry.lost` spans. */
  readonly lostBySpans: number
  /** Spans that arrived more than once. */
  readonly duplicates: number
}

/** One account per process, in the order in which their first spans came. */
export function spanAccounts(spans: readonly ReceivedSpan[]): SpanAccount[] {
  return Array.from(byInstance(spans).values(), accountOf)
}

/** Over all processes. */
export function total(accounts: readonly SpanAccount[], key: 'missing' | 'lostBySpans'): number {
  return accounts.reduce((sum, account) => sum + account[key], 0)
}

function accountOf(spans: readonly ReceivedSpan[]): SpanAccount {
  const sequence = addNumbers(
    emptySequence,
    spans.map((span) => numberOf(span, 'mesh.seq')),
  )
  const distinct = [...new Map(spans.map((span) => [span.spanId, span])).values()]
  const missing = countMissing(sequence)
  const received = sequence.last - missing
  return {
    node: String(spans[0]?.resource['mesh.node.name']),
    emitted: sequence.last,
    received,
    missing,
    lostBySpans: spansNamed(distinct, 'mesh.telemetry.lost').reduce(
      (sum, span) => sum + numberOf(span, 'mesh.lost.count'),
      0,
    ),
    duplicates: spans.length - received,
  }
}
