import { until } from '../../processes/waiting.ts'
import { startStack } from '../../stack/bare.ts'
import { bytesPerSpan } from '../../stack/clustered-sizes.ts'
import type { SentSpan } from '../../store/otlp-client.ts'
import { startClusteredStack } from '../../testing/stack/clustered-stack.ts'
import { openSearchApi } from '../../testing/stack/opensearch-api.ts'
import { TraceReader } from '../../traces/reader.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, type Check, equals, notShown, type ProofContext, type ProofResult, round } from '../proof.ts'
import { clusteredPrograms } from './clustered-faults.ts'
import { feedLab } from './lab-feed.ts'
import { fromEnv, withStack } from './on-stack.ts'

/** MILLION_SPANS makes it less. */
const spanTarget = fromEnv('MILLION_SPANS', 1_000_000)
/** MILLION_STORE selects one: `badger` or `opensearch`. */
const onlyStore = process.env['MILLION_STORE'] ?? ''
const dayMs = 86_400_000
const questionMs = 2_000
/** Traces of an answer: as many as the page and Jaeger's request by default. */
const pageLimit = 20
/** As many as the reader returns at most by default; what these take is reported. */
const readerLimit = 100
const settleMs = 120_000

export const proof = endToEnd({
  name: 'store-million',
  about:
    'a million spans of a day in Jaeger with badger and with OpenSearch: a page of answers to any question for attributes, or none, takes two seconds at most',
  quick: false,
  seconds: 60 + Math.round(spanTarget / 700),
  run: (context) => withStack(context, () => askBoth(context), ['jaeger']),
})

async function askBoth(context: ProofContext): Promise<ProofResult> {
  const results: Record<string, ProofResult> = {}
  for (const [store, run] of Object.entries({ badger: onBadger, opensearch: onOpenSearch }))
    if (onlyStore === '' || onlyStore === store) results[store] = await run(context)
  return {
    figures: Object.fromEntries(Object.entries(results).map(([store, { figures }]) => [store, figures])),
    checks: Object.values(results).flatMap(({ checks }) => checks),
  }
}

async function onBadger(context: ProofContext): Promise<ProofResult> {
  await using stack = await startStack({ services: ['jaeger'] })
  const toMs = Date.now()
  const fed = await feedLab({ url: stack.urls.jaegerOtlp, spans: spanTarget, fromMs: toMs - dayMs, toMs }, context)
  const asked = await askAll('badger', stack.urls.jaeger, fed, toMs, context)
  return { figures: { ...fed.figures, ...asked.figures }, checks: asked.checks }
}

async function onOpenSearch(context: ProofContext): Promise<ProofResult> {
  const programs = await clusteredPrograms()
  if ('missing' in programs)
    return { figures: programs, checks: [notShown('questions to OpenSearch', 'answered', programs.missing)] }
  await using stack = await startClusteredStack({ programs, nodes: 1, jaegers: 1 })
  const [jaeger = ''] = stack.jaegerUrls
  const api = openSearchApi(stack.storeUrl)
  const toMs = Date.now()
  const range = { fromMs: toMs - dayMs, toMs }
  const fed = await feedLab({ url: stack.jaegerOtlps[0] ?? '', spans: spanTarget, ...range }, context)
  await until(
    async () => (await api.documents()) >= fed.figures.spans,
    settleMs,
    'all spans are stored',
    context.signal,
  )
  const documents = await api.documents()
  const asked = await askAll('OpenSearch', jaeger, fed, toMs, context)
  const bytes = (await api.storedBytes()) / documents
  return {
    figures: { ...fed.figures, documents, 'bytes per span': round(bytes), ...asked.figures },
    checks: [
      ...asked.checks,
      equals('spans stored twice', 0, documents - fed.figures.spans),
      atMost('bytes of a span in one copy', bytesPerSpan.openSearch, bytes),
    ],
  }
}

/** Questions with an answer by the reader, and the number of traces that they find at least; and questions without. */
function questions(sample: readonly SentSpan[], giveUps: number) {
  const opened = sample.find(({ name }) => name === 'mesh.connection.opened')
  const link = opened?.attributes?.['mesh.link.id']
  const seed = '/dns4/seed-2/udp/4001/quic-v1'
  return [
    { what: 'a link of half a day ago', attributes: { 'mesh.link.id': String(link) }, atLeast: 1, atMost: 1 },
    {
      what: 'give-ups of a seed',
      span: 'mesh.seed.giveup',
      attributes: { 'mesh.seed.address': seed },
      atLeast: Math.min(pageLimit, giveUps),
    },
    { what: 'failed spans', attributes: { error: true }, atLeast: Math.min(pageLimit, giveUps) },
    { what: 'spans without an error', attributes: { error: false }, atLeast: pageLimit },
    { what: 'a number that many have', attributes: { 'mesh.registry.size': 7 }, atLeast: pageLimit },
    { what: 'spans of a node', span: 'mesh.window', attributes: { 'mesh.node.name': 'node-4' }, atLeast: pageLimit },
    {
      what: 'a scope and a kind',
      attributes: { 'scope.name': 'tracemesh', 'span.kind': 'internal' },
      atLeast: pageLimit,
    },
    { what: 'no such link', attributes: { 'mesh.link.id': 'none' }, atMost: 0 },
    { what: 'no such node', span: 'mesh.window', attributes: { 'mesh.node.name': 'nobody' }, atMost: 0 },
    {
      what: 'a number and no such node',
      attributes: { 'mesh.registry.size': 7, 'mesh.node.name': 'nobody' },
      atMost: 0,
    },
    { what: 'no such kind', attributes: { 'span.kind': 'producer' }, atMost: 0 },
    { what: 'a value with operators', attributes: { 'mesh.error.message': 'no (such) peer' }, atMost: 0 },
    { what: 'a text for a number', attributes: { 'mesh.registry.size': 'seven' }, atMost: 0 },
  ]
}

async function askAll(
  store: string,
  url: string,
  fed: Awaited<ReturnType<typeof feedLab>>,
  toMs: number,
  { progress }: ProofContext,
): Promise<ProofResult> {
  const reader = new TraceReader(url, { timeoutMs: 60_000 })
  const figures: Record<string, string> = {}
  const checks: Check[] = []
  for (const { what, span, attributes, ...expected } of questions(fed.sample, fed.figures.giveUps)) {
    const query = { service: 'mesh-a', fromMs: toMs - dayMs, toMs: toMs + 600_000, attributes, ...(span && { span }) }
    const timed = async (limit: number) => {
      const began = performance.now()
      const { traces, partial } = await reader.find({ ...query, limit })
      const ms = Math.round(performance.now() - began)
      progress(`${store}: ${what}: ${traces.length} traces in ${ms} ms`)
      return { traces, partial, ms, text: `${traces.length} traces in ${ms} ms` }
    }
    const { traces, partial, ms, text } = await timed(pageLimit)
    const isCut = traces.length === pageLimit && expected.atMost === undefined
    figures[what] = isCut ? `${text}, ${(await timed(readerLimit)).text}` : text
    const about = `${store}: ${what}`
    if (expected.atLeast !== undefined) checks.push(atLeast(`${about}, traces`, expected.atLeast, traces.length))
    // A search that gives up does not answer a question with few traces or none.
    if (expected.atMost !== undefined) {
      checks.push(atMost(`${about}, traces`, expected.atMost, traces.length))
      checks.push(equals(`${about}, why the result is partial`, '', partial ?? ''))
    }
    checks.push(atMost(`${about}, in`, questionMs, ms, 'ms'))
  }
  return { figures, checks }
}
