import type { SpanName } from '../../catalogue/spans.ts'
import type { TraceReader } from '../../traces/reader.ts'
import type { Trace, TraceSpan } from '../../traces/trace.ts'

/** Two related traces: the campaign of a node for a late seed, and the opening of the resulting link. */
export interface Subjects {
  /** Retries, then the answer of the seed. */
  readonly campaign: Trace
  /** With spans of both ends. */
  readonly birth: Trace
}

/** The first campaign of the node of this name in `mesh`. Undefined while either trace is incomplete. */
export async function subjectsOf(
  reader: TraceReader,
  mesh: string,
  node: string,
  fromMs: number,
): Promise<Subjects | undefined> {
  const campaign = (await tracesWith(reader, mesh, 'mesh.seed.connected', fromMs)).findLast(
    (trace) => count(trace, 'mesh.seed.retry') > 0 && trace.spans.some((span) => nodeOf(span) === node),
  )
  const end = campaign?.spans.find(({ name }) => name === 'mesh.seed.connected')
  if (campaign === undefined || end === undefined) return undefined
  const pair = [emitterOf(end), String(end.attributes['mesh.peer.id'])].sort().join()
  const births = await tracesWith(reader, mesh, 'mesh.connection.opened', fromMs)
  const birth = births.find((trace) =>
    (['mesh.connection.opened', 'mesh.hello.received'] as const).every((name) => emittersOf(trace, name) === pair),
  )
  return birth && { campaign, birth }
}

/** Name of the emitting node. */
export function nodeOf({ resource }: TraceSpan): string {
  return String(resource['mesh.node.name'])
}

export function count({ spans }: Trace, name: SpanName): number {
  return spans.filter((span) => span.name === name).length
}

async function tracesWith(reader: TraceReader, service: string, span: SpanName, fromMs: number): Promise<Trace[]> {
  const { traces } = await reader.find({ service, span, fromMs, toMs: Date.now() + 1_000, limit: 400 })
  return [...traces]
}

function emittersOf({ spans }: Trace, name: SpanName): string {
  const emittedSpans = spans.filter((span) => span.name === name)
  return emittedSpans.map(emitterOf).sort().join()
}

function emitterOf({ resource }: TraceSpan): string {
  return String(resource['mesh.peer.self'])
}
