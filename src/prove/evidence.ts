import type { SpanName } from '../catalogue/spans.ts'
import { until } from '../processes/waiting.ts'
import type { NodeProcess } from '../testing/cluster/cluster.ts'
import type { ReceivedSpan } from '../testing/otlp/otlp-receiver.ts'
import { round } from './proof.ts'

/** What a span of the receiver and a span of a trace store have in common. */
export type AnySpan = Pick<ReceivedSpan, 'name' | 'traceId' | 'spanId' | 'parentSpanId' | 'startMs' | 'links'> & {
  readonly attributes: Readonly<Record<string, unknown>>
  readonly resource: Readonly<Record<string, unknown>>
}

/** Of any node, or of the node of this name. */
export function spansNamed<S extends AnySpan>(spans: readonly S[], name: SpanName, node?: string): S[] {
  return spans.filter((span) => span.name === name && (node === undefined || nameOf(span) === node))
}

export function spansInTrace<S extends AnySpan>(spans: readonly S[], traceId: string): S[] {
  return spans.filter((span) => span.traceId === traceId)
}

/** One process of one node: two starts of one identity are two instances. */
export function instanceOf(span: AnySpan): string {
  return String(span.resource['service.instance.id'])
}

/** Peer id of the node that emitted the span. */
export function emitterOf(span: AnySpan): string {
  return String(span.resource['mesh.peer.self'])
}

/** Configured name of the node that emitted the span. */
export function nameOf(span: AnySpan): string {
  return String(span.resource['mesh.node.name'])
}

/** A numeric attribute; NaN when the span lacks it, so that no bound holds. */
export function numberOf(span: AnySpan, attribute: string): number {
  const value = span.attributes[attribute]
  return typeof value === 'number' ? value : Number.NaN
}

/** Count of one process's spans at the receiver, or in a store. */
export interface SpanAccount {
  readonly node: string
  /** Highest sequence number: the process emitted at least as many. */
  readonly emitted: number
  /** Distinct numbers. */
  readonly received: number
  /** Missing numbers from 1 to the highest. */
  readonly missing: number
  /** Sum of its own `mesh.telemetry.lost` spans. */
  readonly lostBySpans: number
  /** Spans that arrived more than once. */
  readonly duplicates: number
}

/** One account per process, in the order in which their first spans came. */
export function spanAccounts(spans: readonly AnySpan[]): SpanAccount[] {
  return Array.from(Map.groupBy(spans, instanceOf).values(), accountOf)
}

function accountOf(spans: readonly AnySpan[]): SpanAccount {
  const numbers = new Set(spans.map((span) => numberOf(span, 'mesh.seq')).filter((seq) => seq > 0))
  const emitted = Math.max(0, ...numbers)
  const distinct = [...new Map(spans.map((span) => [span.spanId, span])).values()]
  return {
    node: String(spans[0]?.resource['mesh.node.name']),
    emitted,
    received: numbers.size,
    missing: emitted - numbers.size,
    lostBySpans: sum(spansNamed(distinct, 'mesh.telemetry.lost').map((span) => numberOf(span, 'mesh.lost.count'))),
    duplicates: spans.length - numbers.size,
  }
}

/** Spans missing between number 1 and the highest number, over all processes. */
export function missingSpans(spans: readonly AnySpan[]): number {
  return sum(spanAccounts(spans).map(({ missing }) => missing))
}

/** Spans without their parent: the node lost the parent, or never ended it. */
export function orphans<S extends AnySpan>(spans: readonly S[]): S[] {
  const spanIds = new Set(spans.map(({ spanId }) => spanId))
  return spans.filter(({ parentSpanId }) => parentSpanId !== '' && !spanIds.has(parentSpanId))
}

/** Milliseconds between the ends of consecutive spans of each process. */
export function gapsOf(spans: readonly ReceivedSpan[]): number[] {
  return [...Map.groupBy(spans, instanceOf).values()].flatMap((emittedSpans) => {
    const ends = emittedSpans.map(({ endMs }) => endMs).sort((a, b) => a - b)
    return ends.slice(1).map((end, index) => end - (ends[index] ?? end))
  })
}

/** As `gapsOf`, from the start of each node to its end: a job that a node never does leaves a gap as well. */
export function gapsOfLives(spans: readonly ReceivedSpan[], name: SpanName): number[] {
  const names = [name, 'mesh.node.started', 'mesh.node.stopped']
  return gapsOf(spans.filter((span) => names.includes(span.name)))
}

/** Opened connections without exactly one `mesh.connection.closed`, by (instance, connection). */
export function unclosedConnections(spans: readonly AnySpan[]): string[] {
  const key = (span: AnySpan) => `${instanceOf(span)} ${span.attributes['mesh.connection.id']}`
  const closed = Map.groupBy(spansNamed(spans, 'mesh.connection.closed').map(key), (one) => one)
  return spansNamed(spans, 'mesh.connection.opened')
    .map(key)
    .filter((one) => closed.get(one)?.length !== 1)
}

export function isLinkedTo(span: AnySpan, traceId: string): boolean {
  return span.links.some((link) => link.traceId === traceId)
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

/** Milliseconds until `holds`; NaN after the limit. Throws the reason of an abort. */
export async function timeUntil(
  limitMs: number,
  holds: () => boolean | Promise<boolean>,
  signal?: AbortSignal,
): Promise<number> {
  const tookMs = await until(holds, limitMs, 'the step', signal).catch(() => Number.NaN)
  signal?.throwIfAborted()
  return round(tookMs)
}

/** Counts from now on: the result returns the most that one of these processes has waited for a processor, in ms. */
export async function countProcessorWait(nodes: readonly NodeProcess[]): Promise<() => Promise<number>> {
  const waits = () => Promise.all(nodes.map(async (node) => (await node.usage()).waitedMs))
  const before = await waits()
  return async () => Math.max(...(await waits()).map((ms, index) => ms - (before[index] ?? 0)))
}

/** Runs a query five times in sequence: how much it found at last, and the milliseconds of each run. */
export async function fiveTimes(
  query: () => Promise<number>,
): Promise<{ readonly found: number; readonly ms: number[] }> {
  const ms: number[] = []
  let found = 0
  for (let i = 0; i < 5; i++) {
    const began = performance.now()
    found = await query()
    ms.push(round(performance.now() - began))
  }
  return { found, ms }
}
