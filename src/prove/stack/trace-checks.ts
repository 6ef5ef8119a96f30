import type { SpanName } from '../../catalogue/spans.ts'
import type { ReceivedSpan } from '../../testing/otlp-receiver.ts'
import type { TraceReader } from '../../traces/reader.ts'
import type { Trace, TraceSpan, Value } from '../../traces/trace.ts'
import { emitterOf, spansNamed } from '../evidence.ts'
import { closeFault, openFault } from '../mesh/link-traces.ts'
import type { PairLink } from '../mesh/mesh.ts'

/** What a chapter found. */
export interface Finding {
  /** Why it is not shown; empty when it is. */
  readonly fault: string
  /** Nothing of the kind is there yet. */
  readonly none?: true
  readonly figure?: unknown
}

export interface StackQuery {
  readonly jaeger: string
  readonly reader: TraceReader
  readonly meshes: readonly string[]
  readonly roles: readonly string[]
  readonly fromMs: number
}

export interface TraceCheck {
  readonly what: string
  /** About all that there is: read once the others are found, and what is found then is final. */
  readonly atTheEnd?: true
  /** Only where seeds are known by name, as containers are. */
  readonly ofNames?: true
  read(asked: StackQuery): Promise<Finding>
}

/** Spans of this name in any mesh, and the traces they are in. */
async function search(
  { reader, meshes, fromMs }: StackQuery,
  span: SpanName,
  attributes: Readonly<Record<string, string | number | boolean>> = {},
): Promise<{ spans: readonly TraceSpan[]; traces: readonly Trace[] }> {
  const found = await Promise.all(
    meshes.map((service) => reader.find({ service, span, fromMs, toMs: Date.now() + 1_000, attributes, limit: 400 })),
  )
  const traces = found.flatMap(({ traces }) => traces)
  return { traces, spans: traces.flatMap(({ spans }) => spans).filter(({ name }) => name === span) }
}

const none = (what: string): Finding => ({ fault: `no ${what} yet`, none: true })

/** The first of several that is as it should be, or what is wrong with the last. */
function best(what: string, candidates: readonly Finding[]): Finding {
  return candidates.find(({ fault }) => fault === '') ?? candidates.at(-1) ?? none(what)
}

async function services({ reader, meshes }: StackQuery): Promise<Finding> {
  const known = await reader.services()
  const missing = meshes.filter((mesh) => !known.includes(mesh))
  return { fault: missing.length === 0 ? '' : `no ${missing.join(', ')} among ${known.join(', ')}`, figure: known }
}

async function everyRole(asked: StackQuery): Promise<Finding> {
  const { spans } = await search(asked, 'mesh.node.started')
  const nodes = new Set(spans.map(({ resource }) => `${resource['mesh.node.role']} ${resource['mesh.node.name']}`))
  const roles = [...nodes].map((node) => node.split(' ')[0])
  const missing = asked.roles.filter((role) => !roles.includes(role))
  return { fault: missing.length === 0 ? '' : `no ${missing.join(', ')}`, figure: [...nodes].sort() }
}

/** One trace: the campaign is its root, retries are numbered from 1, and the seed answers after them. */
async function lateSeed(asked: StackQuery): Promise<Finding> {
  const { traces } = await search(asked, 'mesh.seed.connected')
  const late = traces.filter(({ spans }) => spans.some(({ name }) => name === 'mesh.seed.retry'))
  return best(
    'campaign with retries that ended well',
    late.map((trace) => campaign(trace, 'mesh.seed.connected')),
  )
}

async function giveUp(asked: StackQuery): Promise<Finding> {
  const { traces } = await search(asked, 'mesh.seed.giveup')
  return best(
    'give-up',
    traces.map((trace) => {
      const told = campaign(trace, 'mesh.seed.giveup')
      if (told.fault !== '') return told
      const [end] = trace.spans.filter(({ name }) => name === 'mesh.seed.giveup')
      const tenth = end?.attributes['mesh.seed.attempt'] === 10 && end.status === 'error'
      return tenth ? told : { fault: `${trace.traceId}: the give-up is not a tenth attempt with status ERROR` }
    }),
  )
}

function campaign({ traceId, spans }: Trace, endName: SpanName): Finding {
  const [root, ...more] = spans.filter(({ name }) => name === 'mesh.seed.dial')
  const retries = spans.filter(({ name }) => name === 'mesh.seed.retry')
  const [end, ...ends] = spans.filter(({ name }) => name === endName)
  const attempts = [...retries, ...(end === undefined ? [] : [end])]
  const numbers = attempts.map(({ attributes }) => attributes['mesh.seed.attempt'])
  const figure = { trace: traceId, attempts: numbers.length, emitter: root?.resource['mesh.node.name'] }
  if (root === undefined || more.length > 0 || root.parentSpanId !== '') return { fault: `${traceId}: no single root` }
  if (end === undefined || ends.length > 0) return { fault: `${traceId}: no single end` }
  if (numbers.some((number, index) => number !== index + 1))
    return { fault: `${traceId}: attempts ${numbers.join(' ')}` }
  const stray = attempts.find(({ parentSpanId }) => parentSpanId !== root.spanId)
  return stray === undefined
    ? { fault: '', figure }
    : { fault: `${traceId}: ${stray.name} is no child of its campaign` }
}

/** A sweep says whom it found, and each of them is told below it. */
async function sweep(asked: StackQuery): Promise<Finding> {
  const { traces } = await search(asked, 'mesh.member.expired')
  return best(
    'sweep that found somebody',
    traces.map(({ traceId, spans }) => {
      const expired = spans.filter(({ name }) => name === 'mesh.member.expired')
      const found = spans.find(({ spanId }) => expired.some(({ parentSpanId }) => parentSpanId === spanId))
      const whom = listOf(found?.attributes['mesh.pruned.peers'])
      const peers = expired
        .filter(({ parentSpanId }) => parentSpanId === found?.spanId)
        .map(({ attributes }) => attributes['mesh.peer.id'])
      if (found?.name !== 'mesh.staleness.pruned') return { fault: `${traceId}: an expiry without its sweep` }
      if (peers.some((peer) => !whom.includes(String(peer))))
        return { fault: `${traceId}: the sweep names ${whom}, and not ${peers}` }
      return {
        fault: '',
        figure: { trace: traceId, names: expired.map(({ attributes }) => attributes['mesh.peer.name']) },
      }
    }),
  )
}

/** A list; Jaeger's badger keeps one as JSON in a text. */
function listOf(value: Value | undefined): readonly unknown[] {
  if (typeof value !== 'string') return Array.isArray(value) ? value : []
  const parsed: unknown = JSON.parse(value)
  return Array.isArray(parsed) ? parsed : []
}

/** A goodbye, the trace it is in, and the trace of the birth that it is linked to: both with both ends. */
async function birthAndEnd(asked: StackQuery): Promise<Finding> {
  const { spans } = await search(asked, 'mesh.goodbye.sent', { 'mesh.goodbye.reason': 'stopping' })
  let last = none('goodbye')
  for (const sent of spans.slice(0, 20)) {
    last = await linkOf(asked.reader, sent)
    if (last.fault === '') return last
  }
  return last
}

async function linkOf(reader: TraceReader, sent: TraceSpan): Promise<Finding> {
  const birthId = sent.links[0]?.traceId ?? ''
  const [birth, end] = await Promise.all([reader.trace(birthId), reader.trace(sent.traceId)])
  const spans = [...(birth?.spans ?? []), ...(end?.spans ?? [])].map(received)
  const opened = spans.filter(({ traceId }) => traceId === birthId)
  const ends = spansNamed(opened, 'mesh.connection.opened').map(emitterOf).sort() as [string, string]
  const transport = String(opened[0]?.attributes['mesh.connection.transport'])
  const link: PairLink = { id: String(sent.attributes['mesh.link.id']), trace: birthId, transport, ends }
  const fault = openFault(spans, link) || closeFault(spans, link, emitterOf(received(sent)))
  return { fault, figure: { link: link.id, birth: birthId, end: sent.traceId, transport } }
}

/** As the evidence of other proofs is. */
function received(span: TraceSpan): ReceivedSpan {
  return { ...span, endMs: span.startMs + span.durationMs, status: span.status }
}

async function allQuic(asked: StackQuery): Promise<Finding> {
  const { spans } = await search(asked, 'mesh.connection.opened')
  const other = spans.filter(({ attributes }) => attributes['mesh.connection.transport'] !== 'quic')
  if (spans.length === 0) return none('connection')
  const fault = other.length === 0 ? '' : `${other.length} of ${spans.length} are not`
  return { fault, figure: { connections: spans.length, addresses: spans.slice(0, 3).map(address) } }
}

async function dialledByName(asked: StackQuery): Promise<Finding> {
  const { spans } = await search(asked, 'mesh.seed.dial')
  const seeds = [...new Set(spans.map(({ attributes }) => String(attributes['mesh.seed.address'])))].sort()
  if (spans.length === 0) return none('campaign')
  const other = seeds.filter((seed) => !/^\/dns[46]?\//.test(seed))
  return { fault: other.length === 0 ? '' : `${other.join(', ')} are no names`, figure: seeds }
}

function address({ attributes }: TraceSpan): unknown {
  return attributes['mesh.connection.address']
}

interface PageTraces {
  readonly data: readonly {
    readonly spans: readonly { readonly operationName: string; readonly warnings: readonly string[] | null }[]
  }[]
}

/** Jaeger's page warns of times that do not fit; asked as the page of 2.13 asks. */
async function timesBelieved({ jaeger, meshes }: StackQuery): Promise<Finding> {
  let spans = 0
  for (const service of meshes) {
    const query = new URLSearchParams({ service, lookback: '1h', limit: '400' })
    const answer = await fetch(`${jaeger}/api/traces?${query}`, { signal: AbortSignal.timeout(30_000) })
    const told = ((await answer.json()) as PageTraces).data.flatMap((trace) => trace.spans)
    const [warned] = told.filter(({ warnings }) => warnings?.some((text) => /clock skew|adjusted/.test(text)))
    if (warned !== undefined) return { fault: `${warned.operationName}: ${warned.warnings?.join('; ')}` }
    spans += told.length
  }
  return spans === 0 ? none('span') : { fault: '', figure: { spans } }
}

interface Series {
  readonly labels?: readonly { readonly name?: string; readonly value?: string }[]
  readonly metricPoints?: readonly { readonly gaugeValue?: { readonly doubleValue?: number } }[]
}

/** What the Monitor tab asks for: calls a minute of spans of kind internal, by name. */
async function monitor({ jaeger, meshes }: StackQuery): Promise<Finding> {
  const query = new URLSearchParams({
    service: meshes[0] ?? '',
    groupByOperation: 'true',
    spanKind: 'internal',
    endTs: String(Date.now()),
    lookback: '600000',
    step: '15000',
    ratePer: '60000',
  })
  const answer = await fetch(`${jaeger}/api/metrics/calls?${query}`, { signal: AbortSignal.timeout(10_000) })
  if (!answer.ok) return { fault: `${answer.status}: ${(await answer.text()).slice(0, 200)}` }
  const { metrics = [] } = (await answer.json()) as { metrics?: readonly Series[] }
  const rates = Object.fromEntries(metrics.map((series) => [operationOf(series), highestOf(series)]))
  const sweeps = rates['mesh.staleness.pruned'] ?? 0
  return { fault: sweeps > 0 ? '' : `no rate of sweeps among ${metrics.length} series`, figure: rates }
}

function operationOf({ labels = [] }: Series): string {
  return labels.find(({ name }) => name === 'operation')?.value ?? ''
}

function highestOf({ metricPoints = [] }: Series): number {
  const values = metricPoints.map(({ gaugeValue }) => Number(gaugeValue?.doubleValue ?? 0))
  return Math.max(0, ...values.filter(Number.isFinite))
}

export const traceChecks: readonly TraceCheck[] = [
  { what: 'each mesh is a service', read: services },
  { what: 'every role has told its start', read: everyRole },
  { what: 'the campaign of a late seed', read: lateSeed },
  { what: 'a sweep that names who died', read: sweep },
  { what: 'the birth and the end of a link, a trace each, with both nodes', read: birthAndEnd },
  { what: 'rates of spans for the Monitor tab', read: monitor },
  { what: 'a give-up, after nine retries', read: giveUp },
  { what: 'every connection is QUIC', read: allQuic, atTheEnd: true },
  { what: 'no span whose time Jaeger’s page doubts', read: timesBelieved, atTheEnd: true },
  { what: 'seeds are dialled by their names', read: dialledByName, atTheEnd: true, ofNames: true },
]
