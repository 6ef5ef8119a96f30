import { isDeepStrictEqual } from 'node:util'
import { until } from '../../processes/waiting.ts'
import { jaegerVersion, stackBinary } from '../../stack/binaries.ts'
import { exportBytes, otlpClient } from '../../store/otlp-client.ts'
import { type RunningStore, startStore } from '../../store/store.ts'
import { playedMinute, playedNodes } from '../../testing/otlp/lab-spans.ts'
import { type RunningJaeger, startJaeger } from '../../testing/stack/jaeger.ts'
import { TraceReader } from '../../traces/reader.ts'
import { endToEnd } from '../end-to-end.ts'
import { type Check, equals, type ProofContext, type ProofResult, unrun } from '../proof.ts'
import { sendAll } from '../stack/series-sizes.ts'

/** Minutes of spans in both stores. */
const minutes = 3
const seconds = 30
const settleMs = 15_000
const bounds = { maxSpans: 100_000, maxBytes: 64_000_000, maxAgeMs: 3_600_000 }

const odd = {
  services: ['shop', 'shop-2'],
  backwards: 'shop-3',
  values: 0xabc0_000a,
  failed: 0xabc0_000b,
} as const

export const proof = endToEnd({
  name: 'jaeger-differential',
  about: `the pocket store answers the same queries as Jaeger ${jaegerVersion} does, after the same spans`,
  quick: false,
  seconds,
  async run(context) {
    const binary = await stackBinary('jaeger')
    if ('missing' in binary) return unrun(context, 'Jaeger to compare with', jaegerVersion, binary.missing)
    await using resources = new AsyncDisposableStack()
    const jaeger = await startJaeger(binary.path)
    resources.defer(() => jaeger.stop())
    const store = await startStore({ otlp: '127.0.0.1:0', http: '127.0.0.1:0', file: ':memory:', ...bounds })
    resources.defer(() => store.close())
    return await compareStores(store, jaeger, context)
  },
})

async function compareStores(
  store: RunningStore,
  jaeger: RunningJaeger,
  { random }: ProofContext,
): Promise<ProofResult> {
  const fromMs = Math.floor(Date.now()) - minutes * 60_000
  const nodes = playedNodes(random)
  const lab = Array.from({ length: minutes }, (_, minute) =>
    nodes.map(({ resource }) => exportBytes(resource, playedMinute(nodes, minute, fromMs + minute * 60_000, random))),
  ).flat()
  const exports = [...lab, ...oddExports(fromMs)]
  for (const url of [store.otlpUrl, jaeger.otlpUrl]) await feed(url, exports)
  const sides: readonly [Side, Side] = [
    { url: store.queryUrl, reader: new TraceReader(store.queryUrl) },
    { url: jaeger.queryUrl, reader: new TraceReader(jaeger.queryUrl) },
  ]
  const toMs = fromMs + minutes * 60_000
  let counts: readonly Record<string, number>[] = []
  const haveSameCounts = async () => {
    counts = await askBoth(sides, (side) => spanCounts(side, fromMs, toMs))
    return Object.keys(counts[0] ?? {}).length > 0 && isDeepStrictEqual(counts[0], counts[1])
  }
  // Jaeger stores acknowledged spans in batches.
  await until(haveSameCounts, settleMs, 'both have as many spans of each service').catch(() => {})
  const results = await compareAnswers(sides, fromMs, toMs)
  const countOf = (side: number) => JSON.stringify(counts[side] ?? 'not counted')
  const checks: Check[] = [
    equals('spans of each service', countOf(0), countOf(1)),
    ...results.map(({ what, difference }) => equals(what, 'the same', difference ?? 'the same')),
  ]
  const figures = { exports: exports.length, spans: counts[0], questions: results.length, jaeger: jaegerVersion }
  return { figures, checks }
}

/** Number of spans by service, over all traces that a search returns. */
async function spanCounts({ reader }: Side, fromMs: number, toMs: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const service of (await reader.services()).toSorted()) {
    const { traces, partial } = await reader.find({ service, fromMs, toMs, limit: 1_000 })
    if (partial !== undefined) throw new Error(`not all of ${service} can be counted: ${partial}`)
    counts[service] = traces.reduce((sum, { spans }) => sum + spans.length, 0)
  }
  return counts
}

async function feed(url: string, exports: readonly Buffer[]): Promise<void> {
  const client = otlpClient(url)
  await sendAll(client, exports).finally(() => client.close())
}

function askBoth<T>(sides: readonly [Side, Side], ask: (side: Side) => Promise<T>): Promise<[T, T]> {
  return Promise.all([ask(sides[0]), ask(sides[1])])
}

interface Side {
  readonly url: string
  readonly reader: TraceReader
}

interface Comparison {
  readonly what: string
  /** Undefined when both answers are equal. */
  readonly difference: string | undefined
}

/** Sends the same queries to both, by raw HTTP and through the reader, and compares the answers. */
async function compareAnswers(sides: readonly [Side, Side], fromMs: number, toMs: number): Promise<Comparison[]> {
  const results: Comparison[] = []
  const compare = async (what: string, query: (side: Side) => Promise<unknown>) => {
    const [ours, theirs] = await Promise.allSettled([query(sides[0]), query(sides[1])])
    results.push({ what, difference: differenceOf(ours, theirs) })
  }
  const [first] = sides
  const services = await first.reader.services()
  await compare('services', ({ reader }) => reader.services())
  for (const service of services) await compare(`operations of ${service}`, ({ reader }) => reader.operations(service))
  for (const path of rawPaths(fromMs, toMs)) await compare(`GET ${path}`, ({ url }) => raw(url + path))
  for (const more of ['', '&query.duration_min=0s', '&query.duration_min=1ms']) {
    const path = findPath(fromMs, toMs, `query.service_name=${odd.backwards}${more}`)
    await compare(`traces of GET ${path}`, ({ url }) => traceIds(url + path))
  }
  const { traces } = await first.reader.find({ service: 'mesh-a', fromMs, toMs, limit: 400 })
  for (const { traceId } of traces.filter((_, index) => index % 10 === 0))
    await compare(`trace ${traceId}`, ({ url }) => raw(`${url}/api/v3/traces/${traceId}`))
  const base = { service: 'mesh-a', fromMs, toMs, limit: 400 }
  const searches = {
    'all of a service': base,
    'all of the other': { ...base, service: 'mesh-b' },
    'a name': { ...base, span: 'mesh.window' },
    'an unknown name': { ...base, span: 'mesh.nothing' },
    'an unknown service': { ...base, service: 'nobody' },
    'the second minute': { ...base, fromMs: fromMs + 60_000, toMs: fromMs + 120_000 },
    'half a second': { ...base, fromMs: fromMs + 5_000, toMs: fromMs + 5_500 },
    'an attribute of the resource': { ...base, span: 'mesh.window', attributes: { 'mesh.node.name': 'node-4' } },
    'an attribute of a span': { ...base, attributes: { 'mesh.registry.size': 7 } },
    'failed spans': { ...base, service: 'shop', attributes: { error: true } },
    'spans that are ok': { ...base, service: 'shop', attributes: { 'span.status': 'ok' } },
    clients: { ...base, service: 'shop', attributes: { 'span.kind': 'client' } },
    'a scope': { ...base, attributes: { 'scope.name': 'tracemesh', 'mesh.registry.size': 7 } },
    'a value with operators': { ...base, attributes: { 'mesh.connection.address': '/ip4/(127|10).0.0.1' } },
    both: { ...base, span: 'mesh.audit.peers', attributes: { 'mesh.registry.size': 7, 'mesh.node.name': 'node-6' } },
  }
  for (const [what, query] of Object.entries(searches)) {
    const comparable = 'attributes' in query ? untimed : plain
    await compare(`find ${what}`, async ({ reader }) => comparable(await reader.find(query)))
  }
  // The same as a reader finds that filters by itself.
  const [, { url, reader }] = sides
  const filtering = new TraceReader(url, { fetch: withoutTags })
  for (const [what, query] of Object.entries(searches)) {
    if (!('attributes' in query)) continue
    const found = async (by: TraceReader) => untimed(await by.find(query))
    const [ours, theirs] = await Promise.allSettled([found(reader), found(filtering)])
    results.push({ what: `find ${what}, without /api/traces of Jaeger`, difference: differenceOf(ours, theirs) })
  }
  return results
}

/** `fetch` of a server without `/api/traces`. */
const withoutTags: typeof fetch = async (input, init) =>
  String(input).includes('/api/traces') ? new Response('{}', { status: 404 }) : fetch(input, init)

/** Two equal failures are a difference: every query here has an answer. */
export function differenceOf(
  ours: PromiseSettledResult<unknown>,
  theirs: PromiseSettledResult<unknown>,
): string | undefined {
  const failures = [
    ...(ours.status === 'rejected' ? [`store failed: ${ours.reason}`] : []),
    ...(theirs.status === 'rejected' ? [`Jaeger failed: ${theirs.reason}`] : []),
  ]
  if (ours.status === 'rejected' || theirs.status === 'rejected') return failures.join('; ')
  return isDeepStrictEqual(ours.value, theirs.value) ? undefined : firstDifference(ours.value, theirs.value)
}

function rawPaths(fromMs: number, toMs: number): string[] {
  const id = (number: number) => number.toString(16)
  const times = timesOf(fromMs, toMs)
  const find = (more: string) => findPath(fromMs, toMs, more)
  return [
    '/api/v3/services',
    ...[...odd.services, 'mesh-a', 'nobody', ''].map((service) => `/api/v3/operations?service=${service}`),
    '/api/v3/operations?service=shop&span_kind=server',
    `/api/v3/traces/${id(odd.values)}`,
    `/api/v3/traces/${id(odd.failed).padStart(32, '0')}`,
    `/api/v3/traces/${id(odd.failed).toUpperCase()}`,
    '/api/v3/traces/00000000000000000000000000000042',
    '/api/v3/traces/hello',
    `/api/v3/traces/${'1'.repeat(33)}`,
    find('query.service_name=shop'),
    find('query.service_name=shop&query.operation_name=values'),
    find('query.service_name=shop&query.duration_min=150ms'),
    find('query.service_name=shop&query.duration_min=0.1s&query.duration_max=300ms'),
    find('query.operation_name=failed'),
    find('query.service_name=nobody'),
    find('query.service_name=shop&query.duration_min=soon'),
    `/api/v3/traces?query.service_name=shop&query.num_traces=5`,
    `/api/v3/traces?query.service_name=shop&query.num_traces=5&query.start_time_min=noon&query.start_time_max=${new Date(toMs).toISOString()}`,
    `/api/v3/traces?${times}&query.service_name=shop&query.num_traces=many`,
  ]
}

function findPath(fromMs: number, toMs: number, more: string): string {
  return `/api/v3/traces?${timesOf(fromMs, toMs)}&query.num_traces=400&${more}`
}

function timesOf(fromMs: number, toMs: number): string {
  return `query.start_time_min=${new Date(fromMs).toISOString()}&query.start_time_max=${new Date(toMs).toISOString()}`
}

/** Ids of the found traces, where their contents differ between the two. */
async function traceIds(url: string): Promise<unknown> {
  const response = await fetch(url)
  const ids = (await response.text()).matchAll(/"traceId":"(\w+)"/g)
  return { status: response.status, ids: Array.from(ids, ([, id]) => id).sort() }
}

/** Status and body, with sorted lists. Of an error only its code: the messages differ. */
async function raw(url: string): Promise<unknown> {
  const response = await fetch(url)
  const body = JSON.parse(await response.text()) as { error?: { httpCode?: number; message?: unknown } }
  if (body.error === undefined) return { status: response.status, body: canonical(body) }
  return { status: response.status, code: body.error.httpCode, says: typeof body.error.message }
}

/** Sorted spans with sorted attributes, each with its resource: neither store promises how it groups spans. */
function canonical(body: object): unknown {
  const { result } = body as { result?: { resourceSpans?: readonly Grouped[] } }
  if (result === undefined) return sorted(body)
  const spans = (result.resourceSpans ?? []).flatMap(({ scopeSpans = [], ...resource }) =>
    scopeSpans.flatMap(({ spans = [], ...scope }) => spans.map((span) => sorted({ ...resource, ...scope, span }))),
  )
  return spans.map((span) => JSON.stringify(span)).sort()
}

interface Grouped {
  readonly scopeSpans?: readonly { readonly spans?: readonly object[] }[]
}

/** Jaeger adds warnings to a span that no sender has sent. */
function isJaegerWarning(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'key' in value && value.key === '@jaeger@warnings'
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value))
    return value
      .filter((inner) => !isJaegerWarning(inner))
      .map(sorted)
      .sort((a, b) => order(JSON.stringify(a), JSON.stringify(b)))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]) => [key, sorted(inner)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => order(a, b)))
}

function order(a = '', b = ''): number {
  return a < b ? -1 : Number(a > b)
}

/** A sorted copy without prototypes, for comparison. */
function plain(found: unknown): unknown {
  return sorted(JSON.parse(JSON.stringify(found)))
}

/** The same without times: Jaeger's search by tags has whole microseconds. */
function untimed(found: unknown): unknown {
  const isTime = (key: string) => key === 'startMs' || key === 'durationMs'
  return plain(JSON.parse(JSON.stringify(found, (key, value) => (isTime(key) ? undefined : value))))
}

/** The first difference of two answers, with its surroundings. */
function firstDifference(ours: unknown, theirs: unknown): string {
  const [a, b] = [JSON.stringify(ours) ?? 'nothing', JSON.stringify(theirs) ?? 'nothing']
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  const from = Math.max(0, at - 60)
  return `store …${a.slice(from, at + 120)}… and Jaeger …${b.slice(from, at + 120)}…`
}

/**
 * Spans of other programs, with contents that ours never have; both stores must return them alike. Each has a duration:
 * Jaeger turns a duration of 0 into a nanosecond and adds a warning to the span, which the store does not.
 */
function oddExports(atMs: number): Buffer[] {
  const at = (offset: number) => atMs + 1_000 + offset
  const id = (digits: number, number: number) => (0xabc0_0000 + number).toString(16).padStart(digits, '0')
  const trace = (number: number) => ({ traceId: id(32, number), spanId: id(16, number) })
  const other = { 'service.name': 'shop', zone: 'eu' }
  const kinds = [0, 1, 2, 3, 4, 5].map((kind) => ({
    ...trace(kind),
    name: `kind ${kind}`,
    kind,
    startMs: at(kind),
    durationMs: 1 + kind * 100,
  }))
  const values = {
    ...trace(10),
    name: 'values',
    startMs: at(10) + 0.000_5,
    durationMs: 0.25,
    status: 1,
    attributes: {
      text: 'grün "quoted" \\ \u2028',
      empty: '',
      int: -5,
      large: 2 ** 53 - 1,
      double: 0.1,
      yes: true,
      no: false,
      list: ['a', 'b'],
      mixed: [1, 'x', false],
      none: [],
    },
    events: [{ name: 'event', atMs: at(11), attributes: { where: 'inside' } }],
    links: [trace(1)],
  }
  const failed = { ...trace(11), name: 'failed', startMs: at(20), durationMs: 5, status: 2 }
  const child = {
    ...trace(12),
    traceId: failed.traceId,
    parentSpanId: failed.spanId,
    name: 'child',
    startMs: at(21),
    durationMs: 1,
  }
  const across = { ...trace(13), traceId: failed.traceId, name: 'across', startMs: at(22), durationMs: 1 }
  // A clock that was set back: Jaeger turns the duration into a nanosecond and adds a warning.
  const backwards = { ...trace(15), name: 'backwards', startMs: at(30), durationMs: -12 }
  const once = exportBytes(other, [...kinds, values, failed, child])
  return [
    once,
    // A repetition, as by a sender without an answer.
    exportBytes(other, [failed, child]),
    exportBytes({ 'service.name': 'shop-2' }, [across]),
    exportBytes({ 'service.name': odd.backwards }, [backwards]),
    exportBytes({}, [{ ...trace(14), name: 'without service', startMs: at(23), durationMs: 1 }]),
  ]
}
