import type { SpanName } from '../catalogue/spans.ts'
import { addNumbers, countMissing, emptySequence } from '../store/tallies.ts'
import type { ReceivedSpan } from '../testing/otlp/otlp-receiver.ts'

type Spans = readonly ReceivedSpan[]

export function spansNamed(spans: Spans, name: SpanName): ReceivedSpan[] {
  return spans.filter((span) => span.name === name)
}

export function spansInTrace(spans: Spans, traceId: string): ReceivedSpan[] {
  return spans.filter((span) => span.traceId === traceId)
}

/** One process of one node: two starts of one identity are two instances. */
export function instanceOf(span: ReceivedSpan): string {
  return String(span.resource['service.instance.id'])
}

/** Peer id of the node that emitted the span. */
export function emitterOf(span: ReceivedSpan): string {
  return String(span.resource['mesh.peer.self'])
}

/** Configured name of the node that emitted the span. */
export function nameOf(span: ReceivedSpan): string {
  return String(span.resource['mesh.node.name'])
}

/** A numeric attribute; NaN when the span lacks it, so that no bound holds. */
export function numberOf(span: ReceivedSpan, attribute: string): number {
  const value = span.attributes[attribute]
  return typeof value === 'number' ? value : Number.NaN
}

/** Spans by instance. */
export function byInstance(spans: Spans): ReadonlyMap<string, Spans> {
  return Map.groupBy(spans, instanceOf)
}

/** Spans missing between number 1 and the highest number, over all instances. */
export function missingSpans(spans: Spans): number {
  return sum([...byInstance(spans).values()].map(missingOfOne))
}

function missingOfOne(spans: Spans): number {
  const numbers = new Set(spans.map((span) => numberOf(span, 'mesh.seq')).filter((seq) => seq > 0))
  return Math.max(0, ...numbers) - numbers.size
}

/** Spans without their parent: the node lost the parent, or never ended it. */
export function orphans(spans: Spans): ReceivedSpan[] {
  const spanIds = new Set(spans.map(({ spanId }) => spanId))
  return spans.filter(({ parentSpanId }) => parentSpanId !== '' && !spanIds.has(parentSpanId))
}

/** Milliseconds between the ends of consecutive spans of each instance. */
export function gapsOf(spans: Spans): number[] {
  return [...byInstance(spans).values()].flatMap((emittedSpans) => {
    const ends = emittedSpans.map(({ endMs }) => endMs).sort((a, b) => a - b)
    return ends.slice(1).map((end, index) => end - (ends[index] ?? end))
  })
}

/** As `gapsOf`, from the start of each node to its end: a job that a node never does leaves a gap as well. */
export function gapsOfLives(spans: Spans, name: SpanName): number[] {
  return gapsOf([
    ...spansNamed(spans, name),
    ...spansNamed(spans, 'mesh.node.started'),
    ...spansNamed(spans, 'mesh.node.stopped'),
  ])
}

/** Opened connections without exactly one `mesh.connection.closed`, by (instance, connection). */
export function unclosedConnections(spans: Spans): string[] {
  const key = (span: ReceivedSpan) => `${instanceOf(span)} ${span.attributes['mesh.connection.id']}`
  const closed = spansNamed(spans, 'mesh.connection.closed').map(key)
  const count = Map.groupBy(closed, (one) => one)
  return spansNamed(spans, 'mesh.connection.opened')
    .map(key)
    .filter((one) => count.get(one)?.length !== 1)
}

export function isLinkedTo(span: ReceivedSpan, traceId: string): boolean {
  return span.links.some((link) => link.traceId === traceId)
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

/** Count of one process's spans at the receiver. */
interface SpanAccount {
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
