import { isDeepStrictEqual } from 'node:util'
import type { TraceReader } from '../../traces/reader.ts'
import { odd } from './odd-spans.ts'

export interface Side {
  readonly url: string
  readonly reader: TraceReader
}

export interface Comparison {
  readonly what: string
  /** Undefined when both answers are equal. */
  readonly difference: string | undefined
}

/** Sends the same queries to both, by raw HTTP and through the reader, and compares the answers. */
export async function compareAnswers(
  sides: readonly [Side, Side],
  fromMs: number,
  toMs: number,
): Promise<Comparison[]> {
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
    both: { ...base, span: 'mesh.audit.peers', attributes: { 'mesh.registry.size': 7, 'mesh.node.name': 'node-6' } },
  }
  for (const [what, query] of Object.entries(searches))
    await compare(`find ${what}`, async ({ reader }) => plain(await reader.find(query)))
  return results
}

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

/** The first difference of two answers, with its surroundings. */
function firstDifference(ours: unknown, theirs: unknown): string {
  const [a, b] = [JSON.stringify(ours) ?? 'nothing', JSON.stringify(theirs) ?? 'nothing']
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  const from = Math.max(0, at - 60)
  return `store …${a.slice(from, at + 120)}… and Jaeger …${b.slice(from, at + 120)}…`
}
