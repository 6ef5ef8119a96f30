import { spans as declared } from '../../catalogue/spans.ts'
import { MeshError } from '../../core/errors.ts'
import type { Trace, TraceSpan } from '../../traces/trace.ts'
import { partsAround, rareNames, sampledParts } from './sample-plan.ts'
import type { Period, Reading, ReadOptions } from './source.ts'
import { StoreClient, StoreGone } from './store-client.ts'

const minuteMs = 60_000
/** A period up to this long is read whole, in slices: 15 minutes, and the one by which clocks may be ahead. */
const wholeMs = 16 * minuteMs
const sliceMs = minuteMs
/** Traces of one rare name: an instance retains as many of the latest, and of the earliest spans. */
const [latestTraces, earliestTraces] = [96, 32]
/** A search for the earliest begins with this part of the period. */
const earliestParts = [1 / 64, 1 / 8, 1]
/** Requests at the same time. */
const atOnce = 3
/** Beyond these a period is not read further; one that is read whole may be of hundreds of nodes. */
const bounds = { sampledBytes: 256 * 1_048_576, wholeBytes: 1_024 * 1_048_576, ms: 100_000 }
const progressMs = 5_000

export interface StoreReadOptions extends ReadOptions {
  readonly url: string
  readonly fetch?: typeof fetch
  /** A test replaces the bound. */
  readonly maxBytes?: number
}

/** One reading of a trace store. */
interface Job extends StoreReadOptions {
  readonly client: StoreClient
  /** Adds the spans of a trace that were not yet read, and that `isWanted`. */
  readonly take: (trace: Trace, isWanted: (span: TraceSpan) => boolean) => void
  /** Whether a bound is reached. */
  readonly isSpent: () => boolean
  readonly report: (text: string) => void
}

/** A store that has answered; it can be asked for more. */
export interface StoreReading extends Reading {
  readonly meshes: readonly string[]
}

/**
 * Reads from a server with Jaeger's `/api/v3`. A store returns whole traces, and a minute of a node is one trace. So only
 * a short period is read whole. Of a longer one the first and last minutes and some between them are read, and the rare
 * spans by their names.
 *
 * @throws MESH_TRACES_UNREACHABLE, MESH_TRACES_REFUSED or MESH_TRACES_UNREADABLE if the store does not answer the first
 * request, MESH_SPANS_ABSENT if it has no span of a mesh in the period
 */
export async function readTraceStore(options: StoreReadOptions): Promise<StoreReading> {
  const client = new StoreClient(options)
  let meshSpans = 0
  const isMeshSpan = (span: TraceSpan) => span.resource['mesh.node.name'] !== undefined && span.name.startsWith('mesh.')
  const isWhole = options.period.toMs - options.period.fromMs <= wholeMs
  const add: ReadOptions['add'] = (span, again) => {
    if (isMeshSpan(span)) meshSpans++
    options.add(span, again)
  }
  const job = jobOf(options, client, add, isWhole ? bounds.wholeBytes : bounds.sampledBytes)
  const services = await client.services()
  const meshes: string[] = []
  const read: string[] = []
  try {
    for (const service of services) {
      const names = await namesOf(job, service)
      if (names === undefined) continue
      meshes.push(service)
      read.push(isWhole ? await readWhole(job, service) : await readSamples(job, service, names))
    }
  } catch (error) {
    if (!(error instanceof StoreGone)) throw error
    client.note(`${options.url} stopped answering; the rest was not read`)
  }
  const { problems, bytes, requests } = client
  if (meshSpans === 0 && problems.length === 0) throw absent(options, services)
  return { complete: isWhole && problems.length === 0, partial: problems, read, bytes, requests, meshes }
}

/**
 * Reads minutes around some moments, of which the first reading had only samples: it may have had some of their spans. A
 * store that fails now costs these minutes alone.
 */
export async function readAround(options: StoreReadOptions, mesh: string, atMs: number): Promise<Reading> {
  const client = new StoreClient({ ...options, isKnown: true })
  const job = jobOf(options, client, (span) => options.add(span, true), bounds.sampledBytes)
  const parts = partsAround(atMs, options.period)
  await inTurns(parts, (part) => readPart(job, mesh, part)).catch((error: unknown) => {
    if (!(error instanceof StoreGone)) throw error
  })
  const { problems, bytes, requests } = client
  return { complete: false, partial: problems, read: [], bytes, requests }
}

function jobOf(options: StoreReadOptions, client: StoreClient, add: ReadOptions['add'], maxBytes: number): Job {
  const startedMs = performance.now()
  const seen = new Map<string, number>()
  let reportedMs = startedMs
  return {
    ...options,
    add,
    client,
    take: ({ traceId, spans }, isWanted) => {
      // A trace in progress may have more spans the second time; the fold knows those that it has.
      const known = seen.get(traceId) ?? 0
      if (known >= spans.length) return
      seen.set(traceId, spans.length)
      for (const span of spans) if (isWanted(span)) add(span, known > 0)
    },
    isSpent: () => client.bytes > (options.maxBytes ?? maxBytes) || performance.now() - startedMs > bounds.ms,
    report: (text) => {
      if (performance.now() - reportedMs < progressMs) return
      reportedMs = performance.now()
      options.progress(`${text}: ${client.requests} requests, ${Math.round(client.bytes / 1e6)} MB`)
    },
  }
}

/**
 * The names of a service's spans; undefined for one that is not asked about: other software shares the store, and has far
 * more spans than a mesh. Without an answer it may be a mesh.
 */
async function namesOf({ client, mesh }: Job, service: string): Promise<readonly string[] | undefined> {
  if (mesh === undefined ? service === 'jaeger' : service !== mesh) return undefined
  const names = await client.operations(service)
  const isMesh = mesh !== undefined || names === undefined || names.some((name) => Object.hasOwn(declared, name))
  return isMesh ? (names ?? []) : undefined
}

/** Each span is in one slice, by its start, whatever other slices its trace is in. */
async function readWhole(job: Job, mesh: string): Promise<string> {
  const { client, period } = job
  const count = Math.ceil((period.toMs - period.fromMs) / sliceMs)
  const slices = Array.from({ length: count }, (_, index) => {
    const fromMs = period.fromMs + index * sliceMs
    return { fromMs, toMs: Math.min(fromMs + sliceMs, period.toMs) }
  })
  // The latest first: if the bound is reached, they say more than the earliest.
  for (const [index, slice] of slices.toReversed().entries()) {
    if (job.isSpent()) {
      client.note(`${mesh}: stopped before ${nameOf(slices[count - index] ?? slice)}, ${spentText(job)}`)
      break
    }
    const { traces, partial } = await client.find(`${mesh}, ${nameOf(slice)}`, { service: mesh, ...slice })
    if (partial !== undefined) client.note(`${mesh}, ${nameOf(slice)}: ${partial}`)
    for (const { spans } of traces)
      for (const span of spans) if (isIn(slice, span) && span.service === mesh) job.add(span, false)
    job.report(`${mesh}, minute ${index + 1} of ${count}`)
  }
  return `all spans of ${mesh}`
}

async function readSamples(job: Job, mesh: string, operations: readonly string[]): Promise<string> {
  const { client, period } = job
  const parts = sampledParts(period)
  const names = rareNames(operations)
  // The ends first: their difference is the growth.
  const ordered = [parts.at(-1), ...parts.slice(0, -1)].filter((part) => part !== undefined)
  await inTurns(ordered, (part) => readPart(job, mesh, part))
  const cut: string[] = []
  await inTurns(names, async (name) => {
    if (await readRare(job, mesh, name)) cut.push(name)
  })
  if (job.isSpent()) client.note(`${mesh}: stopped, ${spentText(job)}`)
  const some = cut.length === 0 ? '' : `, of ${cut.length} names the earliest and latest`
  return `${parts.length} parts of the time of ${mesh}, and its spans of ${names.length} rare names${some}`
}

function spentText({ client }: Job): string {
  return `after ${Math.round(client.bytes / 1e6)} MB; give a shorter period, or one --mesh, for the rest`
}

async function readPart(job: Job, mesh: string, part: Period): Promise<void> {
  if (job.isSpent()) return
  const { traces, partial } = await job.client.find(`${mesh}, ${nameOf(part)}`, { service: mesh, ...part })
  if (partial !== undefined) job.client.note(`${mesh}, ${nameOf(part)}: ${partial}`)
  for (const trace of traces) job.take(trace, (span) => isIn(job.period, span) && span.service === mesh)
  job.report(`${mesh}, ${nameOf(part)}`)
}

/** The latest spans of a name, and the earliest if there are more. Whether there are. */
async function readRare(job: Job, mesh: string, span: string): Promise<boolean> {
  if (job.isSpent()) return false
  const { client, period } = job
  const isWanted = (one: TraceSpan) => isIn(period, one) && one.service === mesh
  const query = { service: mesh, span, ...period }
  const latest = await client.find(`${mesh}, ${span}`, { ...query, limit: latestTraces })
  for (const trace of latest.traces) job.take(trace, isWanted)
  job.report(`${mesh}, ${span}`)
  if (latest.traces.length < latestTraces) return false
  for (const part of earliestParts) {
    if (job.isSpent()) return true
    const toMs = period.fromMs + (period.toMs - period.fromMs) * part
    const earliest = await client.find(`${mesh}, ${span}`, { ...query, toMs, limit: earliestTraces })
    for (const trace of earliest.traces) job.take(trace, isWanted)
    if (earliest.traces.length > 0) return true
  }
  return true
}

/** Runs some at the same time. */
async function inTurns<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  const work = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await run(item)
  }
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, work))
  const failed = ended.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

function isIn({ fromMs, toMs }: Period, { startMs }: TraceSpan): boolean {
  return startMs >= fromMs && startMs < toMs
}

function nameOf({ fromMs }: Period): string {
  return new Date(fromMs).toISOString().slice(0, 16)
}

function absent({ url, mesh, period }: StoreReadOptions, services: readonly string[]): MeshError {
  const [from, to] = [period.fromMs, period.toMs].map((ms) => new Date(ms).toISOString())
  const has = services.length === 0 ? 'it has no service' : `its services are ${services.slice(0, 16).join(', ')}`
  const cure =
    services.length === 0
      ? 'start nodes with --otlp at this store, or name the store of your nodes with --url'
      : 'widen --from and --to, or correct --mesh'
  const where = `${url} from ${from} to ${to}${mesh === undefined ? '' : ` of ${mesh}`}`
  return new MeshError('MESH_SPANS_ABSENT', { where, found: has, cure })
}
