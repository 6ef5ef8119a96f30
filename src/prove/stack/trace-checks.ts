import { setTimeout as sleep } from 'node:timers/promises'
import { roles } from '../../catalogue/roles.ts'
import type { SpanName } from '../../catalogue/spans.ts'
import { errorMessage } from '../../core/errors.ts'
import { TraceReader } from '../../traces/reader.ts'
import type { Trace, TraceSpan, Value } from '../../traces/trace.ts'
import { emitterOf, nameOf, spansNamed } from '../evidence.ts'
import { campaignFault, closeFault, openFault, type PairLink } from '../mesh/mesh.ts'
import type { ProofContext, ProofResult } from '../proof.ts'

/** Result of a check of the traces. */
interface Finding {
  /** Why the check fails; empty when it holds. */
  readonly fault: string
  /** No such span has arrived yet. */
  readonly isMissing?: true
  readonly figure?: unknown
}

/** Traces of the meshes of a lab, or of the containers. */
interface StackQuery {
  /** Jaeger's page and API, the only source. */
  readonly jaeger: string
  readonly reader: TraceReader
  /** Milliseconds since 1970 from which spans count. */
  readonly fromMs: number
}

interface TraceCheck {
  readonly what: string
  /** About all spans: evaluated once the other checks hold, and final. */
  readonly isLast?: true
  evaluate(query: StackQuery): Promise<Finding>
}

const meshes = ['mesh-a', 'mesh-b']
/** Interval of the searches for missing spans, in milliseconds. */
const pollMs = 2_000
/** Ten attempts, with waits of at most 1 2 4 8 16 30 30 30 30 s; and the export of the spans. */
const limitMs = 200_000

/** Spans of this name in any mesh, and their traces. */
async function search(
  { reader, fromMs }: StackQuery,
  span: SpanName,
  attributes: Readonly<Record<string, string | number | boolean>> = {},
): Promise<{ spans: readonly TraceSpan[]; traces: readonly Trace[] }> {
  const found = await Promise.all(
    meshes.map((service) => reader.find({ service, span, fromMs, toMs: Date.now() + 1_000, attributes, limit: 400 })),
  )
  const traces = found.flatMap(({ traces }) => traces)
  return { traces, spans: traces.flatMap(({ spans }) => spans).filter(({ name }) => name === span) }
}

const missing = (what: string): Finding => ({ fault: `no ${what} yet`, isMissing: true })

/** The first finding without a fault, or the last one. */
function best(what: string, candidates: readonly Finding[]): Finding {
  return candidates.find(({ fault }) => fault === '') ?? candidates.at(-1) ?? missing(what)
}

async function findServices({ reader }: StackQuery): Promise<Finding> {
  const services = await reader.services()
  const absent = meshes.filter((mesh) => !services.includes(mesh))
  return { fault: absent.length === 0 ? '' : `no ${absent.join(', ')} among ${services.join(', ')}`, figure: services }
}

async function findEveryRole(query: StackQuery): Promise<Finding> {
  const { spans } = await search(query, 'mesh.node.started')
  const nodes = new Set(spans.map(({ resource }) => `${resource['mesh.node.role']} ${resource['mesh.node.name']}`))
  const started = [...nodes].map((node) => node.split(' ')[0])
  const missing = roles.filter((role) => !started.includes(role))
  return { fault: missing.length === 0 ? '' : `no ${missing.join(', ')}`, figure: [...nodes].sort() }
}

/** One trace: the campaign is its root, retries are numbered from 1, and the seed answers after them. */
async function findLateSeed(query: StackQuery): Promise<Finding> {
  const { traces } = await search(query, 'mesh.seed.connected')
  const late = traces.filter(({ spans }) => spansNamed(spans, 'mesh.seed.retry').length > 0)
  return best(
    'campaign with retries that ended well',
    late.map((trace) => checkCampaign(trace, 'mesh.seed.connected')),
  )
}

async function findGiveUp(query: StackQuery): Promise<Finding> {
  const { traces } = await search(query, 'mesh.seed.giveup')
  return best(
    'give-up',
    traces.map((trace) => {
      const finding = checkCampaign(trace, 'mesh.seed.giveup')
      if (finding.fault !== '') return finding
      const [end] = spansNamed(trace.spans, 'mesh.seed.giveup')
      const tenth = end?.attributes['mesh.seed.attempt'] === 10 && end.status === 'error'
      return tenth ? finding : { fault: `${trace.traceId}: the give-up is not a tenth attempt with status ERROR` }
    }),
  )
}

function checkCampaign({ traceId, spans }: Trace, endName: SpanName): Finding {
  const fault = campaignFault(spans, endName)
  if (fault !== '') return { fault: `${traceId}: ${fault}` }
  const [end] = spansNamed(spans, endName)
  return {
    fault,
    figure: { trace: traceId, attempts: end?.attributes['mesh.seed.attempt'], emitter: end && nameOf(end) },
  }
}

/** A sweep names the members it expires, and each has an expiry below it. */
async function findSweep(query: StackQuery): Promise<Finding> {
  const { traces } = await search(query, 'mesh.member.expired')
  return best(
    'sweep with expiries',
    traces.map(({ traceId, spans }) => {
      const expired = spansNamed(spans, 'mesh.member.expired')
      const found = spans.find(({ spanId }) => expired.some(({ parentSpanId }) => parentSpanId === spanId))
      const prunedPeers = listOf(found?.attributes['mesh.pruned.peers'])
      const peers = expired
        .filter(({ parentSpanId }) => parentSpanId === found?.spanId)
        .map(({ attributes }) => attributes['mesh.peer.id'])
      if (found?.name !== 'mesh.staleness.pruned') return { fault: `${traceId}: an expiry without its sweep` }
      if (peers.some((peer) => !prunedPeers.includes(String(peer))))
        return { fault: `${traceId}: the sweep names ${prunedPeers}, and not ${peers}` }
      return {
        fault: '',
        figure: { trace: traceId, names: expired.map(({ attributes }) => attributes['mesh.peer.name']) },
      }
    }),
  )
}

/** A list attribute; Jaeger's badger stores it as JSON text. */
function listOf(value: Value | undefined): readonly unknown[] {
  if (typeof value !== 'string') return Array.isArray(value) ? value : []
  const parsed: unknown = JSON.parse(value)
  return Array.isArray(parsed) ? parsed : []
}

/** A goodbye, its trace, and the linked opening trace: both contain both ends. */
async function findLinkTraces(query: StackQuery): Promise<Finding> {
  const { spans } = await search(query, 'mesh.goodbye.sent', { 'mesh.goodbye.reason': 'stopping' })
  let last = missing('goodbye')
  for (const sent of spans.slice(0, 20)) {
    last = await checkLink(query.reader, sent)
    if (last.fault === '') return last
  }
  return last
}

async function checkLink(reader: TraceReader, sent: TraceSpan): Promise<Finding> {
  const openId = sent.links[0]?.traceId ?? ''
  const [open, end] = await Promise.all([reader.trace(openId), reader.trace(sent.traceId)])
  const spans = [...(open?.spans ?? []), ...(end?.spans ?? [])]
  const opened = spans.filter(({ traceId }) => traceId === openId)
  const ends = spansNamed(opened, 'mesh.connection.opened').map(emitterOf).sort() as [string, string]
  const transport = String(opened[0]?.attributes['mesh.connection.transport'])
  const link: PairLink = { id: String(sent.attributes['mesh.link.id']), trace: openId, transport, ends }
  const fault = openFault(spans, link) || closeFault(spans, link, emitterOf(sent))
  return { fault, figure: { link: link.id, birth: openId, end: sent.traceId, transport } }
}

async function findAllQuic(query: StackQuery): Promise<Finding> {
  const { spans } = await search(query, 'mesh.connection.opened')
  const other = spans.filter(({ attributes }) => attributes['mesh.connection.transport'] !== 'quic')
  if (spans.length === 0) return missing('connection')
  const fault = other.length === 0 ? '' : `${other.length} of ${spans.length} are not`
  return { fault, figure: { connections: spans.length, addresses: spans.slice(0, 3).map(address) } }
}

async function findNames(query: StackQuery): Promise<Finding> {
  const { spans } = await search(query, 'mesh.seed.dial')
  const seeds = [...new Set(spans.map(({ attributes }) => String(attributes['mesh.seed.address'])))].sort()
  if (spans.length === 0) return missing('campaign')
  const other = seeds.filter((seed) => !/^\/dns[46]?\//.test(seed))
  return { fault: other.length === 0 ? '' : `${other.join(', ')} are not DNS names`, figure: seeds }
}

function address({ attributes }: TraceSpan): unknown {
  return attributes['mesh.connection.address']
}

interface PageTraces {
  readonly data: readonly {
    readonly spans: readonly { readonly operationName: string; readonly warnings: readonly string[] | null }[]
  }[]
}

/** A parent that has not arrived yet, or that a killed node took along, is no inconsistent time. */
function isAboutTime(warning: string): boolean {
  return /clock skew|adjusted/.test(warning) && !warning.startsWith('invalid parent span IDs')
}

/** Jaeger's page warns of inconsistent times; this is the request of the page of 2.13. */
async function findTimeWarnings({ jaeger }: StackQuery): Promise<Finding> {
  let spans = 0
  for (const service of meshes) {
    const query = new URLSearchParams({ service, lookback: '1h', limit: '400' })
    const answer = await fetch(`${jaeger}/api/traces?${query}`, { signal: AbortSignal.timeout(30_000) })
    const finding = ((await answer.json()) as PageTraces).data.flatMap((trace) => trace.spans)
    const [warned] = finding.filter(({ warnings }) => warnings?.some(isAboutTime))
    if (warned !== undefined) return { fault: `${warned.operationName}: ${warned.warnings?.join('; ')}` }
    spans += finding.length
  }
  return spans === 0 ? missing('span') : { fault: '', figure: { spans } }
}

interface Series {
  readonly labels?: readonly { readonly name?: string; readonly value?: string }[]
  readonly metricPoints?: readonly { readonly gaugeValue?: { readonly doubleValue?: number } }[]
}

/** The request of the Monitor tab: calls per minute of spans of kind internal, by name. */
async function findRates({ jaeger }: StackQuery): Promise<Finding> {
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

const traceChecks: readonly TraceCheck[] = [
  { what: 'each mesh is a service', evaluate: findServices },
  { what: 'every role has emitted its start', evaluate: findEveryRole },
  { what: 'the campaign of a late seed', evaluate: findLateSeed },
  { what: 'a sweep that names the dead member', evaluate: findSweep },
  { what: 'the opening and the close of a link, a trace each, with both nodes', evaluate: findLinkTraces },
  { what: 'rates of spans for the Monitor tab', evaluate: findRates },
  { what: 'a give-up, after nine retries', evaluate: findGiveUp },
  { what: 'every connection is QUIC', evaluate: findAllQuic, isLast: true },
  { what: 'no span with a time warning on Jaeger’s page', evaluate: findTimeWarnings, isLast: true },
]

/** Only for nodes that dial their seeds by DNS name, as containers do. */
const namesCheck: TraceCheck = { what: 'nodes dial their seeds by DNS name', evaluate: findNames, isLast: true }

/**
 * Checks through Jaeger's API alone the traces of meshes that have just started: every role, the campaign of a late
 * seed, a give-up, a sweep with an expiry, the opening and the close of a link, rates of spans. The caller provides a
 * late seed, one that never answers, a killed node and one that stopped with goodbyes.
 */
export async function runTraceChecks(
  { jaeger, fromMs, names = false }: Omit<StackQuery, 'reader'> & { readonly names?: boolean },
  { signal, progress }: ProofContext,
): Promise<ProofResult> {
  const selected = names ? [...traceChecks, namesCheck] : traceChecks
  // A search for a span reads complete traces, and a minute of a node is one.
  const reader = new TraceReader(jaeger, { timeoutMs: 30_000 })
  const began = performance.now()
  const findings: Partial<Record<string, Finding>> = {}
  const isFinal = ({ isLast }: TraceCheck, finding: Finding | undefined) =>
    isLast && finding !== undefined && finding.isMissing === undefined
  const openChecks = () =>
    selected.filter((check) => findings[check.what]?.fault !== '' && !isFinal(check, findings[check.what]))
  const nextChecks = () => {
    const first = openChecks().filter(({ isLast }) => isLast === undefined)
    return first.length > 0 ? first : openChecks()
  }
  for (;;) {
    for (const check of nextChecks()) {
      findings[check.what] = await evaluate(check, { jaeger, reader, fromMs })
      if (findings[check.what]?.fault === '') progress(`${check.what}: found`)
    }
    if (openChecks().length === 0 || performance.now() - began > limitMs) break
    await sleep(pollMs, undefined, { signal })
  }
  return {
    checks: selected.map(({ what }) => {
      const fault = findings[what]?.fault ?? 'not evaluated'
      return { what, want: 'found', got: fault === '' ? 'found' : fault, holds: fault === '' }
    }),
    figures: Object.fromEntries(selected.map(({ what }) => [what, findings[what]?.figure])),
  }
}

/** A failed request counts as a missing span: services start in any order. */
async function evaluate(check: TraceCheck, query: StackQuery): Promise<Finding> {
  try {
    return await check.evaluate(query)
  } catch (error) {
    return { fault: errorMessage(error), isMissing: true }
  }
}
